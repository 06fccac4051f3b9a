"""The acts that need no more than a name, by the word that routes and commands have for them."""

from collections.abc import Callable
from typing import Final

from relay.admin import document_acts, salvage_acts, store_acts
from relay.admin.act import Act
from relay.admin.performing import Wish
from relay.admin.seam import ActableStore, Rooms

# The last is whether what no checksum vouches for is salvaged, too.
_OnDocument = Callable[[ActableStore, Rooms, str, Wish, bool], Act]

_ON_DOCUMENT: Final[dict[str, _OnDocument]] = {
    "compact": lambda store, _, name, *__: document_acts.compact(store, name),
    "load": lambda store, _, name, *__: document_acts.load(store, name),
    "unload": lambda store, rooms, name, *_: document_acts.unload(store, rooms, name),
    "read-only": lambda store, _, name, wish, __: _read_only(store, name, wish),
    "writable": lambda store, _, name, *__: document_acts.writable(store, name),
    "delete": lambda store, rooms, name, *_: document_acts.delete(store, rooms, name),
    "forget": lambda store, _, name, *__: document_acts.forget(store, name),
    "salvage": lambda store, _, name, __, unverified: salvage_acts.salvage(
        store, name, unverified=unverified
    ),
    "set-aside": lambda store, _, name, *__: salvage_acts.set_aside(store, name),
}

_ON_STORE: Final[dict[str, Callable[[ActableStore, Wish], Act]]] = {
    "read-only": lambda store, wish: _read_only(store, None, wish),
    "writable": lambda store, _: document_acts.writable(store, None),
    "truncate-wal": lambda store, _: store_acts.truncate_wal(store),
    "vacuum": lambda store, _: store_acts.vacuum(store),
}

DOCUMENT_ACTIONS: Final = frozenset(_ON_DOCUMENT)
STORE_ACTIONS: Final = tuple(_ON_STORE)


def document_act(
    action: str,
    store: ActableStore,
    rooms: Rooms,
    name: str,
    wish: Wish,
    *,
    unverified: bool = False,
) -> Act:
    """Return one of DOCUMENT_ACTIONS."""
    return _ON_DOCUMENT[action](store, rooms, name, wish, unverified)


def store_act(action: str, store: ActableStore, wish: Wish) -> Act:
    """Return one of STORE_ACTIONS."""
    return _ON_STORE[action](store, wish)


def _read_only(store: ActableStore, name: str | None, wish: Wish) -> Act:
    return document_acts.read_only(store, name, wish.reason or "", wish.by)
