"""What comes from outside of every program: clocks and chance."""

import secrets
import time


def now_ms() -> int:
    """Return milliseconds since 1970, for what has an end that people have named."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Return seconds since some moment; it never goes back."""
    return time.monotonic()


def make_secret() -> str:
    """Return 256 random bits as text that may stand in a URL and on a command line."""
    return secrets.token_hex(32)
