"""The configuration: command line over environment over a TOML file over defaults."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError

from relay.admission_settings import AdmissionSettings
from relay.errors import ConfigError
from relay.limits import (
    CONNECTIONS_MAX,
    CONNECTIONS_PER_ADDRESS_MAX,
    DOCUMENTS_MAX,
    ROOM_GRACE_S,
)
from yjs_store.limits import MIB, SCRUB_BYTES_PER_S


class Settings(AdmissionSettings):
    """Every option of ``yjs-relay serve``; each is also YJS_RELAY_… and a key of the file."""

    model_config = SettingsConfigDict(
        env_prefix="YJS_RELAY_",
        extra="forbid",
        frozen=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(1234, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    store: str = Field(
        "sqlite:///./data/relay.db",
        description="Where documents are kept: sqlite:///relative/path or sqlite:////absolute/path.",
    )
    echo: bool = Field(
        True,
        description="Send committed updates to their sender too: the receipt of newer clients.",
    )
    room_grace_s: float = Field(
        ROOM_GRACE_S, ge=0, description="Seconds an empty room stays in memory."
    )
    checkpoint_rows: int = Field(
        1000, ge=1, description="Journal rows after which a small document is checkpointed."
    )
    scrub_mib_per_s: float = Field(
        SCRUB_BYTES_PER_S / MIB,
        ge=0,
        description="MiB per second of stored documents verified in the background; 0 for none.",
    )
    connections_max: int = Field(
        CONNECTIONS_MAX, ge=1, description="Connections at a time, in all."
    )
    connections_per_address_max: int = Field(
        CONNECTIONS_PER_ADDRESS_MAX,
        ge=1,
        description="Connections at a time from one address (IPv6: one /64).",
    )
    documents_max: int = Field(DOCUMENTS_MAX, ge=1, description="Documents in memory at a time.")
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate and its chain: serve wss and https."
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's key.")
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks, with commas, whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed.",
    )
    otel: bool = Field(
        False,
        description="Send OpenTelemetry traces over OTLP, as the OTEL_… environment variables say.",
    )
    otel_documents: bool = Field(False, description="Name documents in these traces.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe events to log."
    )
    log_format: Literal["human", "json"] = Field("human", description="How log lines look.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the sources in order; the file's path is passed beside the options."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(options: dict[str, Any], file: Path | None) -> Settings:
    """Return the settings; ``options`` are those given on the command line.

    Raises:
        ConfigError: a value or a key is not usable, or the file cannot be read.
    """
    if file is not None and not file.is_file():
        raise ConfigError(f"there is no configuration file {file}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return FromFile(**options)
    except ValidationError as error:
        raise ConfigError("; ".join(map(_sentence, error.errors()))) from error
    except (SettingsError, ValueError, OSError) as error:
        raise ConfigError(f"{file or 'environment'}: {error}") from error


def _sentence(error: Any) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"there is no setting {name!r}"
    return f"{name}: {error['msg']} (got {error['input']!r})"
