"""What a store's URL says."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from yjs_store.errors import StoreUnusable


def sqlite_path(url: str) -> Path:
    """Return the path in an SQLite URL.

    Raises:
        StoreUnusable: it is not one.
    """
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme != "sqlite" or parts.netloc or not path or parts.query or parts.fragment:
        raise StoreUnusable(
            f"{url!r} is not a store: write sqlite:///relative/path.db or"
            " sqlite:////absolute/path.db"
        )
    return Path(path)
