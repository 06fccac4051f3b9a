"""A parser of Yjs updates (encoding v1) of our own: which ids an update has and which it deletes.

It looks at structs only as far as their length, and knows nothing of integration, so that what
it says is independent of the decoder under the store.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

_GC, _DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(11)
_HAS_ORIGIN, _HAS_RIGHT_ORIGIN, _HAS_PARENT_KEY = 0x80, 0x40, 0x20
_NAMED_TYPES = (3, 5)


@dataclass(slots=True)
class Ids:
    """Sets of (client, clock): the structs that are there, and the ids that are deleted."""

    structs: set[tuple[int, int]] = field(default_factory=set)
    deleted: set[tuple[int, int]] = field(default_factory=set)


def ids_of(updates: Iterable[bytes]) -> Ids:
    """All ids of some updates."""
    ids = Ids()
    for update in updates:
        _Parser(update).parse(ids)
    return ids


class _Parser:
    def __init__(self, update: bytes) -> None:
        self._data = update
        self._at = 0

    def parse(self, ids: Ids) -> None:
        for _ in range(self._number()):
            count, client, clock = self._number(), self._number(), self._number()
            for _ in range(count):
                is_there, length = self._struct()
                if is_there:
                    ids.structs.update((client, clock + offset) for offset in range(length))
                clock += length
        for _ in range(self._number()):
            client = self._number()
            for _ in range(self._number()):
                clock, length = self._number(), self._number()
                ids.deleted.update((client, clock + offset) for offset in range(length))
        assert self._at == len(self._data), "an update ends after its delete set"

    def _struct(self) -> tuple[bool, int]:
        info = self._byte()
        kind = info & 0x1F
        if info in (_GC, _SKIP):
            return info == _GC, self._number()
        if info & _HAS_ORIGIN:
            self._number(), self._number()
        if info & _HAS_RIGHT_ORIGIN:
            self._number(), self._number()
        if not info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
            if self._number() == 1:
                self._bytes()
            else:
                self._number(), self._number()
            if info & _HAS_PARENT_KEY:
                self._bytes()
        return True, self._content(kind)

    def _content(self, kind: int) -> int:
        if kind == _DELETED:
            return self._number()
        if kind == _STRING:
            return len(self._bytes().decode().encode("utf-16-le")) // 2
        if kind in (_JSON, _ANY):
            count = self._number()
            for _ in range(count):
                _ = self._bytes() if kind == _JSON else self._any()
            return count
        if kind in (_BINARY, _EMBED):
            self._bytes()
        elif kind == _FORMAT:
            self._bytes(), self._bytes()
        elif kind == _TYPE:
            if self._number() in _NAMED_TYPES:
                self._bytes()
        elif kind == _DOC:
            self._bytes(), self._any()
        else:
            raise AssertionError(f"content {kind} is not known here")
        return 1

    def _any(self) -> None:
        tag = self._byte()
        if tag == 125:
            self._number()
        elif tag in (122, 123, 124):
            self._at += {122: 8, 123: 8, 124: 4}[tag]
        elif tag in (116, 119):
            self._bytes()
        elif tag in (117, 118):
            for _ in range(self._number()):
                if tag == 118:
                    self._bytes()
                self._any()
        else:
            assert tag in (120, 121, 126, 127), f"value {tag} is not known here"

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _bytes(self) -> bytes:
        length = self._number()
        self._at += length
        return self._data[self._at - length : self._at]
