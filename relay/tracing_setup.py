"""Puts together who hears of what is traced, as the settings say."""

from relay.config import Settings
from relay.errors import ConfigError
from relay.tracing import NO_TRACING, Tracing


def make_tracing(settings: Settings) -> Tracing:
    """Return what the settings ask for.

    Raises:
        ConfigError: its libraries are not installed, or the environment asks for what they
            cannot do.
    """
    if not settings.otel:
        return NO_TRACING
    try:
        # Here and not above: without the option its libraries need not be there.
        from relay.otel import open_tracing  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"--otel needs a library that is not installed ({error.name}):"
            " pip install 'yjs-relay[otel]'"
        ) from error
    return open_tracing(names_documents=settings.otel_documents)
