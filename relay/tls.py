"""TLS of the server's own, for who has no proxy in front of it."""

import ssl
from pathlib import Path

from relay.errors import ConfigError


def make_tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and newer.

    Raises:
        ConfigError: a file cannot be read, or they do not belong together; the text says which.
    """
    for what, path in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{what}: cannot read {path}: {error.strerror}") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password would be asked for on the terminal of a server.
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except ConfigError:
        raise
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise ConfigError(
            f"tls_certificate, tls_key: {certificate} and {key} are no PEM certificate and its"
            f" key: {reason}"
        ) from error
    return context


def _refuse_password() -> str:
    raise ConfigError("tls_key: the key is encrypted; write it without a password")
