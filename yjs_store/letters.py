"""Says in a few bytes what stands where in some updates, and is not deleted; pure.

It is read from the bytes alone, so that what a Doc makes of the same updates can be proven by it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Id, Ranges, read_content, read_place

_KIND_BITS: Final = 0x1F
_WITHOUT_PLACE: Final = (0, 10)
_DELETED: Final = 1
_STRING: Final = 4
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Piece:
    """Clocks from ``start`` to ``end``, two bytes of content for each, and where it stands."""

    start: int
    end: int
    units: bytes
    origin: Id | None
    right_origin: Id | None


def fingerprint(updates: Sequence[bytes], deletes: Ranges) -> bytes | None:
    """Return a digest of letters, of the kinds of other content, and of what each stands beside.

    Of what is not deleted. How it is cut into structs and updates, and how often it is repeated,
    changes nothing. None when something is there twice and not the same: which of them counts
    depends on what waited for what.

    Raises:
        UpdateRefused: one is not an update of a known form.
    """
    pieces: dict[int, list[_Piece]] = {}
    for update in updates:
        for client, piece in _pieces(update):
            pieces.setdefault(client, []).append(piece)
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for client in sorted(pieces):
        pieces[client].sort(key=lambda piece: piece.start)
        if not _add(digest, client, pieces[client], deletes.get(client, [])):
            return None
    return digest.digest()


def _add(
    digest: blake2b, client: int, pieces: Sequence[_Piece], deletes: Sequence[tuple[int, int]]
) -> bool:
    last: _Piece | None = None
    beside: tuple[int, Id | None] | None = None
    for piece in pieces:
        start = piece.start
        if last is not None and start < last.end:
            if not _agree(last, piece):
                return False
            start = last.end
        for at, end in _left(start, piece.end, deletes):
            origin = piece.origin if at == piece.start else (client, at - 1)
            # Only where it is not what every letter of a text stands beside: the one before it.
            if beside != (at, piece.right_origin) or origin != (client, at - 1):
                digest.update(repr((client, at, origin, piece.right_origin)).encode())
            digest.update(piece.units[2 * (at - piece.start) : 2 * (end - piece.start)])
            beside = (end, piece.right_origin)
        if last is None or piece.end > last.end:
            last = piece
    return True


def _agree(one: _Piece, other: _Piece) -> bool:
    """Say whether two pieces that overlap, the second beginning later, have the same there."""
    offset, length = other.start - one.start, min(one.end, other.end) - other.start
    ours = one.units[2 * offset : 2 * (offset + length)]
    return ours == other.units[: 2 * length] and one.right_origin == other.right_origin


def _left(start: int, end: int, deletes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what of some clocks is not deleted."""
    index = bisect_right(deletes, start, key=lambda one: one[1])
    while start < end:
        low, high = deletes[index] if index < len(deletes) else (end, end)
        if low > start:
            yield start, min(low, end)
        start = max(start, high) if low < end else end
        index += 1


def _pieces(update: bytes) -> Iterator[tuple[int, _Piece]]:
    reader = Reader(update)
    try:
        for _ in range(reader.number()):
            count, client, clock = reader.number(), reader.number(), reader.number()
            for _ in range(count):
                info = reader.byte()
                kind = info & _KIND_BITS
                if kind in _WITHOUT_PLACE:
                    clock += reader.number()
                    continue
                origin, right_origin, _ = read_place(reader, info)
                if kind == _STRING:
                    units = reader.text().encode("utf-16-le")
                else:
                    units = bytes((kind, 0)) * read_content(reader, kind)
                end = clock + len(units) // 2
                if kind != _DELETED:
                    yield client, _Piece(clock, end, units, origin, right_origin)
                clock = end
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error
