"""Finds how deep shared types nest in a document; pure.

Whoever deletes, prints or collects a type does it with all that is in it, in yrs and in Yjs by
recursion, so that this depth must be bounded for a document, whatever updates it came in.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Id, Place, read_content, read_place

_KIND_BITS: Final = 0x1F
_WITHOUT_CONTENT: Final = (0, 10)
_TYPE: Final = 7

# How much deeper than its origin, its right origin and its parent an item stands.
_DEEPER: Final = (0, 0, 1)

# In place of a depth.
_UNKNOWN: Final = -1
_BEING_ASKED: Final = -2


def nesting(update: bytes) -> int:
    """Return how many shared types are within each other at most; a root counts as none.

    It is never less than in the document of which ``update`` is all, pending included: types
    that are deleted but not collected count, and so do those that wait. Time and memory are in
    proportion to the structs.

    Raises:
        UpdateRefused: the bytes are not an update that ``inspect`` passes.
    """
    reader = Reader(update)
    try:
        runs = _read_runs(reader)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
    types = ((client, index) for client, run in runs.items() for index in run.types)
    return max((_settle(reader, runs, item) + 1 for item in types), default=0)


@dataclass(slots=True)
class _Run:
    """The structs of one client: where and at which clock each begins, and in how many types.

    ``types`` has the indexes of shared types. Arrays, because there may be millions.
    """

    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    clocks: "array[int]" = field(default_factory=lambda: array("Q"))
    depths: "array[int]" = field(default_factory=lambda: array("q"))
    types: "array[int]" = field(default_factory=lambda: array("Q"))
    end: int = 0


def _read_runs(reader: Reader) -> dict[int, _Run]:
    runs: dict[int, _Run] = {}
    for _ in range(reader.number()):
        count, client, clock = reader.number(), reader.number(), reader.number()
        if client in runs:
            raise UpdateRefused(f"client {client} has two runs of structs")
        run = runs[client] = _Run(end=clock)
        for index in range(count):
            run.starts.append(reader.position)
            run.clocks.append(clock)
            info = reader.byte()
            kind = info & _KIND_BITS
            if kind in _WITHOUT_CONTENT:
                run.depths.append(0)
                length = reader.number()
            else:
                run.depths.append(_depth_at(runs, read_place(reader, info)))
                length = read_content(reader, kind)
                if kind == _TYPE:
                    run.types.append(index)
            run.end = clock = clock + length
    return runs


def _depth_at(runs: dict[int, _Run], place: Place) -> int:
    """Return in how many types an item at a place stands, or _UNKNOWN.

    An item stands in what its neighbours stand in; they may disagree in what nobody honest wrote.
    """
    depth = 0
    for needed, deeper in zip(place, _DEEPER, strict=True):
        if needed is None:
            continue
        found = _find(runs, needed)
        if found is None:
            # Its client may come later in the bytes; if not, it waits and will be asked again.
            return _UNKNOWN
        known = runs[found[0]].depths[found[1]]
        if known == _UNKNOWN:
            return _UNKNOWN
        depth = max(depth, known + deeper)
    return depth


def _find(runs: dict[int, _Run], item: Id) -> Id | None:
    """Return the client and the index of the struct with this id."""
    client, clock = item
    run = runs.get(client)
    if run is None or clock >= run.end or clock < run.clocks[0]:
        return None
    return client, bisect_right(run.clocks, clock) - 1


def _settle(reader: Reader, runs: dict[int, _Run], asked: Id) -> int:
    """Return in how many types the struct at a client and index stands, all runs being read."""
    waiting = [asked]
    while waiting:
        client, index = waiting[-1]
        run = runs[client]
        depth = run.depths[index]
        if depth >= 0:
            waiting.pop()
            continue
        reader.position = run.starts[index]
        place = read_place(reader, reader.byte())
        needed = [
            (found, deeper)
            for one, deeper in zip(place, _DEEPER, strict=True)
            if one is not None and (found := _find(runs, one)) is not None
        ]
        if depth == _UNKNOWN:
            run.depths[index] = _BEING_ASKED
            waiting += [found for found, _ in needed if _depth(runs, found) == _UNKNOWN]
        else:
            # What is being asked here still needs itself, and never gets into the document.
            depths = [max(_depth(runs, found), 0) + deeper for found, deeper in needed]
            run.depths[index] = max(depths, default=0)
            waiting.pop()
    return _depth(runs, asked)


def _depth(runs: dict[int, _Run], place: Id) -> int:
    client, index = place
    return runs[client].depths[index]
