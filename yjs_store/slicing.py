"""Cuts an update into pieces that a document takes in quickly one after the other; pure.

yrs joins the structs of a transaction in time quadratic in their number: an update of 100,000
that can be joined takes it seconds, and its slices milliseconds.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from yjs_store.errors import UpdateRefused
from yjs_store.limits import (
    DELETES_CUT_MAX,
    SLICE_DELETES,
    UPDATE_CLIENTS_MAX,
    UPDATE_CLOCK_MAX,
)
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import (
    Id,
    Ranges,
    beyond,
    read_delete_set,
    read_place,
    read_struct,
    var_uint,
    write_deletes,
)

_EMPTY_DELETE_SET = b"\x00"
_ALL_THE_REST = UPDATE_CLOCK_MAX * UPDATE_CLIENTS_MAX


def slices(update: bytes, structs_max: int) -> list[bytes]:
    """Return updates of at most ``structs_max`` structs each, with the same content together.

    Applied in this order, none waits for a later one, unless structs wait for each other. The
    deletes come last, in pieces of SLICE_DELETES clocks, the newest first: what is within a type
    goes before it.

    Raises:
        UpdateRefused: the bytes are not an update that ``inspect`` passes.
    """
    reader = Reader(update)
    try:
        runs = _read_runs(reader)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
    deletes = _slice_deletes(update, reader)
    if sum(len(run.starts) - 1 for run in runs.values()) <= structs_max and len(deletes) < 2:
        return [update]
    pieces: list[bytes] = []
    piece: dict[int, tuple[int, int]] = {}
    count = 0
    for client in _in_order(update, runs):
        first, _ = piece.get(client, (runs[client].next - 1, 0))
        piece[client] = (first, runs[client].next)
        count += 1
        if count == structs_max:
            pieces.append(_write(update, runs, piece))
            piece, count = {}, 0
    if piece:
        pieces.append(_write(update, runs, piece))
    return pieces + deletes


def _slice_deletes(update: bytes, reader: Reader) -> list[bytes]:
    """Return the delete set, at which the reader is, as updates; as it is when it is small."""
    start = reader.position
    deletes = read_delete_set(reader)
    if sum(end - begin for ranges in deletes.values() for begin, end in ranges) <= SLICE_DELETES:
        written = update[start:]
        return [] if written == _EMPTY_DELETE_SET else [b"\x00" + written]
    return [
        write_deletes({client: sorted(ranges) for client, ranges in piece.items()})
        for piece in _delete_pieces(deletes)
    ]


def _delete_pieces(deletes: Ranges) -> Iterator[Ranges]:
    """Yield pieces of SLICE_DELETES clocks, of each client the newest first.

    Ranges may reach far beyond what anybody has written: what is beyond DELETES_CUT_MAX is one
    piece, and so is what is left after that many.
    """
    far = beyond(deletes, dict.fromkeys(deletes, DELETES_CUT_MAX))
    if far:
        yield far
    piece: Ranges = {}
    room, cut = SLICE_DELETES, 0
    for client, ranges in deletes.items():
        for begin, end in reversed(ranges):
            left = min(end, DELETES_CUT_MAX)
            while begin < left:
                first = max(begin, left - room)
                piece.setdefault(client, []).append((first, left))
                room -= left - first
                left = first
                if not room:
                    yield piece
                    cut += SLICE_DELETES
                    piece = {}
                    room = SLICE_DELETES if cut < DELETES_CUT_MAX else _ALL_THE_REST
    if piece:
        yield piece


@dataclass(slots=True)
class _Run:
    """The structs of one client: where each begins in the bytes, and at which clock.

    Both lists have the end as well. ``next`` is the first struct that is not in a piece yet.
    """

    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    clocks: "array[int]" = field(default_factory=lambda: array("Q"))
    next: int = 0

    def lacks(self, clock: int) -> bool:
        """Say whether the struct at a clock is in the run and still to come."""
        return self.clocks[self.next] <= clock < self.clocks[-1]


def _read_runs(reader: Reader) -> dict[int, _Run]:
    runs: dict[int, _Run] = {}
    for _ in range(reader.number()):
        count, client, clock = reader.number(), reader.number(), reader.number()
        if client in runs:
            raise UpdateRefused(f"client {client} has two runs of structs")
        run = runs[client] = _Run()
        for _ in range(count):
            run.starts.append(reader.position)
            run.clocks.append(clock)
            clock += read_struct(reader)[1]
        run.starts.append(reader.position)
        run.clocks.append(clock)
    return runs


def _in_order(update: bytes, runs: dict[int, _Run]) -> Iterator[int]:
    """Say of which client the next struct is, so that each comes after those it stands beside."""
    for started, run in runs.items():
        while run.next < len(run.starts) - 1:
            # Each waits for a struct of the next; a client that is in it twice would wait for
            # itself, and then the order does not matter.
            waiting = {started: None}
            while waiting:
                client = next(reversed(waiting))
                other = _waits_for(update, runs, client)
                if other is not None and other not in waiting:
                    waiting[other] = None
                    continue
                runs[client].next += 1
                yield client
                del waiting[client]


def _waits_for(update: bytes, runs: dict[int, _Run], client: int) -> int | None:
    """Return another client whose struct must come before the next one of this client."""
    if len(runs) == 1:
        return None
    run = runs[client]
    for of_client, clock in _needs(update, run.starts[run.next]):
        other = runs.get(of_client)
        if of_client != client and other is not None and other.lacks(clock):
            return of_client
    return None


def _needs(update: bytes, start: int) -> list[Id]:
    reader = Reader(update)
    reader.position = start
    info = reader.byte()
    if info & 0x1F in (0, 10):
        return []
    return [needed for needed in read_place(reader, info) if needed is not None]


def _write(update: bytes, runs: dict[int, _Run], piece: dict[int, tuple[int, int]]) -> bytes:
    written = [var_uint(len(piece))]
    for client, (first, end) in piece.items():
        run = runs[client]
        written += map(var_uint, (end - first, client, run.clocks[first]))
        written.append(update[run.starts[first] : run.starts[end]])
    return b"".join(written) + _EMPTY_DELETE_SET
