"""Makes the authority that the settings name."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from relay.admission_settings import AdmissionSettings
from relay.auth.anonymous import Anonymous
from relay.auth.grants import Authority
from relay.auth.hook import Hook
from relay.auth.origins import is_loopback
from relay.auth.python_hook import PythonDecider
from relay.auth.token_mode import StaticTokens
from relay.errors import ConfigError

log = structlog.get_logger("relay.auth")


def make_authority(settings: AdmissionSettings, clock_ms: Callable[[], int]) -> Authority:
    """Return the authority; call ``close`` at its end.

    Raises:
        ConfigError: something for it is missing or cannot be used; the text says what.
    """
    match settings.auth:
        case "none":
            return Anonymous()
        case "token":
            return StaticTokens(_needed(settings.token_file, "--token-file", "token"), clock_ms)
        case "jwt":
            return _signed_tokens(settings)
        case "hook":
            return _hook(settings, clock_ms)


def _needed(path: Path | None, option: str, mode: str) -> Path:
    if path is None:
        raise ConfigError(f"--auth {mode} needs {option}")
    return path


def _signed_tokens(settings: AdmissionSettings) -> Authority:
    try:
        # Here and not above: without this mode its libraries need not be there.
        from relay.auth.jwt_mode import JwtRules, SignedTokens  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed("jwt", error) from error
    rules = JwtRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        user_claim=settings.jwt_user_claim,
        documents_claim=settings.jwt_documents_claim,
        permission_claim=settings.jwt_permission_claim,
    )
    return SignedTokens(_needed(settings.jwt_key_file, "--jwt-key-file", "jwt"), rules)


def _hook(settings: AdmissionSettings, clock_ms: Callable[[], int]) -> Authority:
    if not settings.hook:
        raise ConfigError("--auth hook needs --hook, a URL or module:function")
    if not settings.hook.startswith(("http://", "https://")):
        return Hook(PythonDecider(settings.hook), settings.hook_timeout_s, clock_ms)
    try:
        # As above.
        from relay.auth.http_hook import HttpDecider  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed("hook", error) from error
    url = urlsplit(settings.hook)
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        log.warning("credentials go to the hook in the clear: use https", host=url.hostname)
    decider = HttpDecider(settings.hook, settings.hook_timeout_s)
    return Hook(decider, settings.hook_timeout_s, clock_ms)


def _not_installed(mode: str, error: ImportError) -> ConfigError:
    return ConfigError(
        f"--auth {mode} needs a library that is not installed ({error.name}):"
        f" pip install 'yjs-relay[{mode}]'"
    )
