"""Says whether an update is one that every client survives, and how much is in it; pure.

The decoder here, yrs, takes more than stock Yjs does, and takes some things for others. What it
lets through and Yjs throws on would reach every client of the document but its sender (P5). So
whatever can be told from the bytes alone is told here; engineering/crdt.md lists what was found
and what cannot be told. Work and memory are in proportion to the bytes, and nothing recurses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.limits import (
    SUBDOCUMENT_OPTIONS_MAX,
    UPDATE_CLIENTS_MAX,
    UPDATE_CLOCK_MAX,
    UPDATE_RANGES_MAX,
    UPDATE_STRUCTS_MAX,
)
from yjs_store.nesting import nesting
from yjs_store.plain_updates import is_plain
from yjs_store.slicing import slices
from yjs_store.update_reader import Reader
from yjs_store.update_values import TooMuchToInspect, ValueCounter

__all__ = ["Findings", "TooMuchToInspect", "inspect", "is_plain", "nesting", "slices"]

# A collected struct, and a gap.
_WITHOUT_CONTENT: Final = (0, 10)
_HAS_ORIGIN: Final = 0x80
_HAS_RIGHT_ORIGIN: Final = 0x40
_HAS_PARENT_SUB: Final = 0x20
_KIND_BITS: Final = 0x1F

# Array, map, text, element, fragment and XML text. A Doc gives a hook (5) out without its name,
# so that what follows cannot be read; 7 and more only yrs knows.
_TYPES: Final = (0, 1, 2, 3, 4, 6)
_ELEMENT: Final = 3
_OBJECT: Final = 118

# Yjs gives the options of a sub-document to its constructor as they are, and throws when it
# writes a guid that is no text, or calls a filter that is no function.
_OPTIONS_NOT_SENT: Final = ("guid", "gcFilter")

# What decoding and checking a KiB of text costs beside a struct, generously.
_BYTES_PER_WORK: Final = 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """What is in an update: structs (gaps too), clients, shared types, depth of its values.

    ``value_depth`` counts arrays and objects within each other; 0 says that there are none.
    ``deletes`` are the clocks that it deletes.
    """

    structs: int
    clients: int
    types: int
    value_depth: int
    deletes: int = 0


def inspect(update: bytes, work_max: int | None = None) -> Findings:
    """Return what is in an update that clients can take.

    Args:
        update: bytes from a client.
        work_max: structs, values and ranges of deletes (and KiB) that may be looked at, each
            about a microsecond or two; None for no bound.

    Raises:
        UpdateRefused: the bytes are no update, or a client or the decoder cannot take it, or
            it is above a bound of limits.py; the text says which.
        TooMuchToInspect: there is more; nothing is known of it.
    """
    if work_max is not None and len(update) // _BYTES_PER_WORK > work_max:
        raise TooMuchToInspect
    inspector = _Inspector(Reader(update), work_max)
    try:
        return inspector.inspect()
    except IndexError:
        raise UpdateRefused("it ends early") from None
    except UnicodeDecodeError as error:
        raise UpdateRefused(f"a text is not UTF-8: {error}") from error


class _Inspector:
    """One look at one update."""

    __slots__ = ("_deletes", "_reader", "_structs", "_types", "_values", "_work_max")

    def __init__(self, reader: Reader, work_max: int | None) -> None:
        self._reader = reader
        self._work_max = work_max
        self._values = ValueCounter(work_max)
        self._structs = 0
        self._types = 0
        self._deletes = 0

    def inspect(self) -> Findings:
        reader = self._reader
        clients: set[int] = set()
        for _ in range(self._count("clients", UPDATE_CLIENTS_MAX)):
            count = self._count("structs", UPDATE_STRUCTS_MAX - self._structs)
            client = reader.number()
            if client in clients:
                # Yjs forgets the first run of the two, yrs joins them.
                raise UpdateRefused(f"client {client} has two runs of structs")
            clients.add(client)
            self._read_run(count, client, reader.number())
        self._read_deletes()
        if reader.left():
            raise UpdateRefused(f"{reader.left()} bytes follow its end")
        depth = self._values.depth
        return Findings(self._structs, len(clients), self._types, depth, self._deletes)

    def _count(self, what: str, count_max: int) -> int:
        count = self._reader.number()
        if count > self._reader.left():
            raise IndexError("it ends early")
        if count > count_max:
            raise UpdateRefused(f"it has {count} {what}; there may be {count_max}")
        return count

    def _read_run(self, count: int, client: int, clock: int) -> None:
        reader, values, work_max = self._reader, self._values, self._work_max
        for _ in range(count):
            self._structs += 1
            if work_max is not None and self._structs + values.count > work_max:
                raise TooMuchToInspect
            info = reader.byte()
            kind = info & _KIND_BITS
            if kind in _WITHOUT_CONTENT:
                if info != kind:
                    raise UpdateRefused(f"a struct says of itself {info}")
                length = reader.number()
            else:
                self._read_place(info, client, clock)
                read = _CONTENTS.get(kind)
                if read is None:
                    raise UpdateRefused(f"no content has the kind {kind}")
                length = read(self)
            if not length:
                # Yjs does not find its way past it.
                raise UpdateRefused("a struct has no length")
            clock += length
            if clock > UPDATE_CLOCK_MAX:
                raise UpdateRefused(f"a clock is above {UPDATE_CLOCK_MAX}")

    def _read_place(self, info: int, client: int, clock: int) -> None:
        """Read what says where an item stands; Yjs throws on what says of itself."""
        if info & _HAS_ORIGIN:
            self._read_id(client, clock)
        if info & _HAS_RIGHT_ORIGIN:
            self._read_id(client, clock)
        if not info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
            reader = self._reader
            is_root = reader.number()
            if is_root == 1:
                reader.text()
            elif is_root == 0:
                self._read_id(client, clock)
            else:
                raise UpdateRefused("a parent is neither a root nor an item")
            if info & _HAS_PARENT_SUB:
                reader.text()

    def _read_id(self, own_client: int, own_clock: int) -> None:
        client = self._reader.number()
        clock = self._reader.number()
        if clock > UPDATE_CLOCK_MAX:
            raise UpdateRefused(f"a clock is above {UPDATE_CLOCK_MAX}")
        if client == own_client and clock >= own_clock:
            raise UpdateRefused("a struct needs itself or what comes after it")

    def _read_deletes(self) -> None:
        reader, work_max = self._reader, self._work_max
        clients: set[int] = set()
        ranges = 0
        for _ in range(self._count("clients", UPDATE_CLIENTS_MAX)):
            client = reader.number()
            if client in clients:
                # yrs forgets the first of the two when it merges.
                raise UpdateRefused(f"client {client} has two lists of deletes")
            clients.add(client)
            count = self._count("ranges", UPDATE_RANGES_MAX - ranges)
            ranges += count
            if work_max is not None and self._structs + self._values.count + ranges > work_max:
                raise TooMuchToInspect
            for _ in range(count):
                clock = reader.number()
                length = reader.number()
                if clock + length > UPDATE_CLOCK_MAX:
                    raise UpdateRefused(f"a clock is above {UPDATE_CLOCK_MAX}")
                if not length:
                    raise UpdateRefused("a range of deletes has no length")
                self._deletes += length

    # ---- contents: each returns how many clocks it takes ----------------------------------------

    def _read_deleted(self) -> int:
        return self._reader.number()

    def _read_json(self) -> int:
        # yrs reads one text more than there are, and takes the bytes after it for that.
        raise UpdateRefused("it has JSON contents, which only Yjs before 13 wrote")

    def _read_binary(self) -> int:
        self._reader.skip(self._reader.number())
        return 1

    def _read_string(self) -> int:
        text = self._reader.text()
        if text.isascii():
            return len(text)
        # Clocks count UTF-16 code units.
        return len(text.encode("utf-16-le")) // 2

    def _read_embed(self) -> int:
        self._values.check_json(self._reader.text())
        return 1

    def _read_format(self) -> int:
        self._reader.text()
        self._values.check_json(self._reader.text())
        return 1

    def _read_type(self) -> int:
        reference = self._reader.number()
        if reference not in _TYPES:
            raise UpdateRefused(f"no shared type has the number {reference}")
        if reference == _ELEMENT:
            self._reader.text()
        self._types += 1
        return 1

    def _read_any_list(self) -> int:
        return self._values.read_any_list(self._reader)

    def _read_doc(self) -> int:
        reader = self._reader
        reader.text()
        if reader.byte() != _OBJECT:
            # Yjs asks null for its options and throws.
            raise UpdateRefused("the options of a sub-document are no object")
        options = reader.byte()
        if options > SUBDOCUMENT_OPTIONS_MAX:
            raise UpdateRefused(f"a sub-document may have {SUBDOCUMENT_OPTIONS_MAX} options")
        for _ in range(options):
            option = reader.text()
            if option in _OPTIONS_NOT_SENT:
                raise UpdateRefused(f"a sub-document has the option {option}")
            self._values.read_any(reader)
        return 1


_CONTENTS: Final[dict[int, Callable[[_Inspector], int]]] = {
    1: _Inspector._read_deleted,
    2: _Inspector._read_json,
    3: _Inspector._read_binary,
    4: _Inspector._read_string,
    5: _Inspector._read_embed,
    6: _Inspector._read_format,
    7: _Inspector._read_type,
    8: _Inspector._read_any_list,
    9: _Inspector._read_doc,
}
