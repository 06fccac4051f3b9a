"""A page of the list of documents: what is asked for, and what is given. Pure."""

import enum
from dataclasses import dataclass
from typing import Final

from yjs_store.records import Head, SealedHead

# Stands for the value of a head that cannot be read: it comes before all others.
UNREADABLE_VALUE: Final = 2**63 - 1
_POINT_MAX: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class Order(enum.Enum):
    """By what a list is sorted: names rise, by code point; anything else falls."""

    NAME = "name"
    UPDATED = "updated"
    BYTES = "bytes"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: behind the document with this value and this key.

    By NAME the value is the name, and names are unique.
    """

    value: int | str
    document_id: int


@dataclass(frozen=True, slots=True)
class Troubled:
    """Which documents are in trouble: those named, for the process knows what is wrong with them;
    those with refused updates in quarantine or a switch; and those whose journal is that long.
    """

    names: frozenset[str]
    journal_bytes_min: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What is asked for: at most ``limit`` heads in that order, behind ``after``.

    Only those whose name begins with ``prefix`` and, unless it is None, that are ``troubled``.
    """

    order: Order = Order.NAME
    prefix: str = ""
    after: Position | None = None
    limit: int = 100
    troubled: Troubled | None = None


@dataclass(frozen=True, slots=True)
class ListedHead:
    """An entry: the head, not yet verified; or None, and why it cannot be read.

    ``name`` is what can be shown of the name, whatever stands there.
    """

    document_id: int
    name: str
    sealed_head: SealedHead | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class HeadPage:
    """Entries in their order; ``following`` asks for what follows, None at the end.

    ``total`` counts all documents of the store, tombstones too.
    """

    entries: tuple[ListedHead, ...]
    following: Position | None
    total: int


def value_of(head: Head, order: Order) -> int | str:
    """Return what a head is sorted by."""
    match order:
        case Order.NAME:
            return head.name
        case Order.UPDATED:
            return head.updated_ms
        case Order.BYTES:
            return head.journal_bytes + head.snapshot_bytes
        case Order.JOURNAL:
            return head.journal_bytes


def prefix_end(prefix: str) -> str | None:
    """Return the first text, by code point, behind all that begin so; None when nothing is."""
    for length in range(len(prefix), 0, -1):
        following = ord(prefix[length - 1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= _POINT_MAX:
            return prefix[: length - 1] + chr(following)
    return None


def position_text(position: Position, order: Order) -> str:
    """Return the position as text, for a URL."""
    if order is Order.NAME:
        return str(position.value)
    return f"{position.value}.{position.document_id}"


def parse_position(text: str, order: Order) -> Position:
    """Return the position that ``position_text`` made into this text.

    Raises:
        ValueError: it did not.
    """
    if order is Order.NAME:
        return Position(text, 0)
    value, _, document_id = text.partition(".")
    found = Position(int(value), int(document_id))
    if not (0 <= found.document_id < 2**63 and -(2**63) <= int(value) < 2**63):
        raise ValueError(f"{text!r} is not a position in a list")
    return found
