"""Replaces the characters of which somebody cuts a half off; pure.

Clocks count UTF-16 units, so a character beyond U+FFFF has two, and an editor may delete one of
them, or write between them. Yjs then makes two U+FFFD of the character; yrs loses a unit, and
every later clock of its author means another struct. Where the two U+FFFD are there before yrs
sees the cut, both agree: as many units, and nothing to be lost.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.pairs import Clocks, Pairs, with_halves
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import Place, read_content, read_place, var_uint

_KIND_BITS: Final = 0x1F
_WITHOUT_CONTENT: Final = (0, 10)
_STRING: Final = 4
_TWO_HALVES: Final = "\ufffd\ufffd"

_replace_pairs: Final = re.compile("[\U00010000-\U0010ffff]").sub

# UTF-8 of four bytes: the first as 1, those after it as 2.
_FOUR: Final = b"\x01\x02\x02\x02"
_BYTES_OF_FOUR: Final = bytes(
    1 if 0xF0 <= byte <= 0xF4 else 2 if 0x80 <= byte <= 0xBF else 0 for byte in range(256)
)


def may_have_pairs(update: bytes) -> bool:
    """Say whether an update may have a character of two units; if not, there is none."""
    # A third of what a regular expression takes, for numbers are full of such first bytes.
    return _FOUR in update.translate(_BYTES_OF_FOUR)


def look(updates: Iterable[bytes], *, structs_only: bool = False) -> tuple[Clocks, Pairs]:
    """Return where something begins or ends, and the characters of two units.

    What begins and ends are structs, what they stand beside, and ranges of deletes; the first
    only with ``structs_only``. The clocks are not sorted.

    Raises:
        UpdateRefused: one is not an update of a known form.
    """
    edges: Clocks = {}
    pairs = Pairs()
    for update in updates:
        for client, clock, _, _, text in _texts(update, edges, structs_only=structs_only):
            pairs.add(client, clock, text.encode("utf-16-le"))
    return edges, pairs


def heal(update: bytes, cuts: Clocks) -> bytes:
    """Return the update with two U+FFFD for each character whose second unit is in ``cuts``.

    Raises:
        UpdateRefused: it is not an update of a known form.
    """

    def healed(client: int, clock: int, text: str) -> str:
        of_client = cuts.get(client)
        return with_halves(clock, text, of_client) if of_client else text

    return _rewritten(update, healed)


def hide(update: bytes) -> bytes:
    """Return the update with two U+FFFD for every character of two units.

    Raises:
        UpdateRefused: it is not an update of a known form.
    """
    return _rewritten(update, lambda _client, _clock, text: _replace_pairs(_TWO_HALVES, text))


def show(update: bytes, pairs: Pairs) -> bytes:
    """Return an update that was hidden with those of its characters that are in ``pairs``.

    Raises:
        UpdateRefused: it is not an update of a known form.
    """
    return _rewritten(update, pairs.overlay)


def heal_all(updates: Sequence[bytes]) -> tuple[list[bytes], Pairs]:
    """Return the updates of a document with whatever they cut healed, and the pairs that are left.

    Updates of an unknown form, which older versions took, are left as they are.
    """
    try:
        edges, pairs = look(updates)
        cuts = pairs.cut_at(edges)
        pairs.remove(cuts)
        return _healed(updates, cuts), pairs
    except UpdateRefused:
        return list(updates), Pairs()


def heal_overlaps(updates: Sequence[bytes]) -> Sequence[bytes]:
    """Return updates that can be merged: no struct ends within a character of another."""
    if len(updates) < 2 or not may_have_pairs(b"".join(updates)):
        return updates
    try:
        edges, pairs = look(updates, structs_only=True)
        return _healed(updates, pairs.cut_at(edges))
    except UpdateRefused:
        return updates


def _healed(updates: Sequence[bytes], cuts: Clocks) -> list[bytes]:
    return [heal(one, cuts) if cuts and may_have_pairs(one) else one for one in updates]


def _rewritten(update: bytes, rewrite: Callable[[int, int, str], str]) -> bytes:
    """Return an update with other texts of as many units; ``rewrite`` gets client and clock."""
    parts: list[bytes] = []
    position = 0
    for client, clock, start, end, text in _texts(update, {}, structs_only=True):
        other = rewrite(client, clock, text)
        if other != text:
            written = other.encode()
            parts += (update[position:start], var_uint(len(written)), written)
            position = end
    return b"".join((*parts, update[position:])) if parts else update


def _texts(
    update: bytes, edges: Clocks, *, structs_only: bool
) -> Iterator[tuple[int, int, int, int, str]]:
    """Yield the texts beyond ASCII: client, clock, where they begin with their length and end.

    Raises:
        UpdateRefused: it is not an update of a known form.
    """
    reader = Reader(update)
    try:
        for _ in range(reader.number()):
            yield from _texts_of_run(reader, edges, structs_only=structs_only)
        if not structs_only:
            _read_delete_edges(reader, edges)
    except (IndexError, KeyError, UnicodeDecodeError, OverflowError) as error:
        raise UpdateRefused(f"not an update of a known form: {error!r}") from error


def _texts_of_run(
    reader: Reader, edges: Clocks, *, structs_only: bool
) -> Iterator[tuple[int, int, int, int, str]]:
    count, client, clock = reader.number(), reader.number(), reader.number()
    own = _clocks_of(edges, client)
    own.append(clock)
    for _ in range(count):
        info = reader.byte()
        kind = info & _KIND_BITS
        if kind in _WITHOUT_CONTENT:
            clock += reader.number()
        else:
            place = read_place(reader, info)
            if not structs_only:
                _note_place(edges, place)
            if kind == _STRING:
                start, data = reader.position, reader.bytes_()
                text = data.decode()
                if len(text) != len(data):
                    yield client, clock, start, reader.position, text
                clock += _units(text)
            else:
                clock += read_content(reader, kind)
        own.append(clock)


def _note_place(edges: Clocks, place: Place) -> None:
    origin, right_origin, _ = place
    if origin is not None:
        _clocks_of(edges, origin[0]).append(origin[1] + 1)
    if right_origin is not None:
        _clocks_of(edges, right_origin[0]).append(right_origin[1])


def _read_delete_edges(reader: Reader, edges: Clocks) -> None:
    for _ in range(reader.number()):
        clocks = _clocks_of(edges, reader.number())
        for _ in range(reader.number()):
            start, length = reader.number(), reader.number()
            clocks.extend((start, start + length))


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _clocks_of(clocks: Clocks, client: int) -> "array[int]":
    found = clocks.get(client)
    if found is None:
        found = clocks[client] = array("Q")
    return found
