"""Finds how deep shared types nest in a document; pure.

Whoever deletes, prints or collects a type does it with all that is in it, in yrs and in Yjs by
recursion, so that this depth must be bounded for a document, whatever updates it came in. What
waits for something missing counts as well: a single letter may bring it all within each other.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Id, Place, read_content, read_place

_KIND_BITS: Final = 0x1F
_SKIP: Final = 10
_WITHOUT_CONTENT: Final = (0, _SKIP)
_TYPE: Final = 7

# How much deeper than its origin, its right origin and its parent an item stands.
_DEEPER: Final = (0, 0, 1)

# In place of a depth.
_UNKNOWN: Final = -1
_BEING_ASKED: Final = -2
_MISSING: Final = -3


class Nesting(NamedTuple):
    """How many shared types are within each other at most; a root counts as none.

    ``depth`` is as if what is missing stood in no type. ``possible`` is never less than what it
    comes to when that has come, wherever it may stand, if it brings no more types.
    """

    depth: int
    possible: int


def nesting(update: bytes) -> int:
    """Return the depth of what an update has in itself; see ``measure_nesting``."""
    return measure_nesting(update).depth


def measure_nesting(update: bytes) -> Nesting:
    """Return how deep shared types nest in the document of which ``update`` is all.

    It is never less than that, pending included: types that are deleted but not collected count,
    and so do those that wait. Time and memory are in proportion to the structs.

    Raises:
        UpdateRefused: the bytes are not an update that ``inspect`` passes.
    """
    reader = Reader(update)
    try:
        runs = _read_runs(reader)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
    missing: set[Id] = set()
    rooted = waiting = waiting_count = 0
    for client, run in runs.items():
        for index in run.types:
            depth = _settle(reader, runs, (client, index), missing) + 1
            if run.waits[index]:
                waiting = max(waiting, depth)
                waiting_count += 1
            else:
                rooted = max(rooted, depth)
    # A chain of them passes through each that is missing once at most.
    joined = min(waiting_count, waiting * len(missing))
    return Nesting(max(rooted, waiting), rooted + joined)


@dataclass(slots=True)
class _Run:
    """The structs of one client: where and at which clock each begins, and in how many types.

    ``waits`` says which need what is missing, directly or not; it is told of those that have been
    settled. ``types`` has the indexes of shared types. Arrays, because there may be millions.
    """

    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    clocks: "array[int]" = field(default_factory=lambda: array("Q"))
    depths: "array[int]" = field(default_factory=lambda: array("q"))
    types: "array[int]" = field(default_factory=lambda: array("Q"))
    waits: bytearray = field(default_factory=bytearray)
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
            run.waits.append(False)
            if kind in _WITHOUT_CONTENT:
                run.depths.append(_MISSING if kind == _SKIP else 0)
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
    """Return the client and the index of the struct with this id; None when it is missing."""
    client, clock = item
    run = runs.get(client)
    if run is None or clock >= run.end or clock < run.clocks[0]:
        return None
    index = bisect_right(run.clocks, clock) - 1
    return None if run.depths[index] == _MISSING else (client, index)


def _settle(reader: Reader, runs: dict[int, _Run], asked: Id, missing: set[Id]) -> int:
    """Return in how many types the struct at a client and index stands, all runs being read.

    What is missing for that is added to ``missing``.
    """
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
        needed = list[tuple[Id, int]]()
        for one, deeper in zip(place, _DEEPER, strict=True):
            if one is None:
                continue
            if (found := _find(runs, one)) is None:
                missing.add(one)
                run.waits[index] = True
            else:
                needed.append((found, deeper))
        if depth == _UNKNOWN:
            run.depths[index] = _BEING_ASKED
            waiting += [found for found, _ in needed if _depth(runs, found) == _UNKNOWN]
        else:
            # What is being asked here still needs itself, and never gets into the document.
            depths = [max(_depth(runs, found), 0) + deeper for found, deeper in needed]
            run.depths[index] = max(depths, default=0)
            run.waits[index] |= any(runs[client].waits[at] for (client, at), _ in needed)
            waiting.pop()
    return _depth(runs, asked)


def _depth(runs: dict[int, _Run], place: Id) -> int:
    client, index = place
    return runs[client].depths[index]
