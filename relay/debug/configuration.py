"""The settings as they may be shown: what is not known to be harmless is hidden. Pure."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

HIDDEN: Final = "(hidden)"

# Text that says how the server is set up, and no secret.
_HARMLESS: Final = frozenset(
    {
        *("host", "auth", "log_level", "log_format", "trusted_proxies", "allowed_origins"),
        *("jwt_issuer", "jwt_audience"),
        *("jwt_user_claim", "jwt_documents_claim", "jwt_permission_claim"),
    }
)

# What is neither has a mistake in it, and nobody knows where its secret is: hidden whole.
_PYTHON_FUNCTION: Final = re.compile(r"[\w.]+:[\w.]+")
_HOOK_URL: Final = re.compile(r"(https?://)((?:[^/?#]*@)?)([\w.:\[\]-]+)((?:[/?#][^@]*)?)")

Shown = str | int | float | bool | None


def shown_settings(settings: Mapping[str, object]) -> dict[str, Shown]:
    """Return each setting as it may be shown, by its name.

    Numbers and switches are shown, files by their paths, texts and addresses that are listed
    here; all else, and so a text that is new, is hidden.
    """
    return {name: _shown(name, value) for name, value in settings.items()}


def _shown(name: str, value: object) -> Shown:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, str) and name in _HARMLESS:
        return value
    if isinstance(value, str) and name in _ADDRESSES:
        return _ADDRESSES[name](value)
    return HIDDEN


def _without_secrets(address: str) -> str:
    """Return an address without user, password, query and fragment."""
    shown, is_cut = address, False
    for mark in "#?":
        shown, found, _ = shown.partition(mark)
        is_cut = is_cut or bool(found)
    scheme, has_authority, rest = shown.partition("://")
    if has_authority and "@" in rest:
        # The last one: what stands before it may hold anything.
        shown = f"{scheme}://{HIDDEN}@{rest.rpartition('@')[2]}"
    return f"{shown}?{HIDDEN}" if is_cut else shown


def _host_alone(hook: str) -> str:
    """Return scheme and host of a URL, the rest of which may be a secret; or a Python function."""
    if not hook or _PYTHON_FUNCTION.fullmatch(hook):
        return hook
    url = _HOOK_URL.fullmatch(hook)
    if url is None:
        return HIDDEN
    scheme, user, host, path = url.groups()
    return f"{scheme}{user and HIDDEN + '@'}{host}{path and '/' + HIDDEN}"


# Addresses, which may have a password or a token in them.
_ADDRESSES: Final = {"store": _without_secrets, "hook": _host_alone}
