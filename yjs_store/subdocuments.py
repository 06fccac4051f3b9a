"""Hides sub-documents from the decoder, and brings back in its answers what was hidden; pure.

yrs writes the options of a sub-document anew and loses most of them, `meta` above all; and a Doc
that has one is never freed (engineering/incidents.md). What stands in its place is a binary value:
as long, joined with nothing, and given back as it was. It begins with a secret, so that nobody
can send one.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.limits import SUBDOCUMENT_OPTIONS_MAX
from yjs_store.update_reader import Reader
from yjs_store.update_v1 import read_any, read_content, read_place, var_uint

_KIND_BITS: Final = 0x1F
_WITHOUT_CONTENT: Final = (0, 10)
_BINARY: Final = 3
_SUBDOCUMENT: Final = 9
_OBJECT: Final = 118

# The options: their tag, and how many there are. A delete set follows at the least.
_find_options: Final = re.compile(
    b"v[\\x00-\\x%02x](?=.)" % SUBDOCUMENT_OPTIONS_MAX, re.DOTALL
).finditer

_UNKNOWN_FORM: Final = (IndexError, KeyError, UnicodeDecodeError, UpdateRefused)


def may_have_subdocuments(update: bytes) -> bool:
    """Say whether an update that ``inspect`` passes may have any; if not, it has none."""
    return any(map(_may_be_options, _find_options(update)))


def has_subdocuments(update: bytes) -> bool:
    """Say whether an update of a known form has any, as surely as can be."""
    try:
        return may_have_subdocuments(update) and any(_items(update, _SUBDOCUMENT))
    except _UNKNOWN_FORM:
        return False


def hide_subdocuments(update: bytes, secret: bytes) -> bytes:
    """Return the update with a binary value that begins with ``secret`` for each sub-document.

    One of an unknown form, which older versions took, is left as it is.
    """
    if not may_have_subdocuments(update):
        return update
    try:
        return _replaced(update, list(_hidden(update, secret)))
    except _UNKNOWN_FORM:
        return update


def hide_all_subdocuments(updates: Sequence[bytes], secret: bytes) -> Sequence[bytes]:
    """Hide those of several updates; looking at them together costs nearly nothing."""
    if not may_have_subdocuments(b"".join(updates)):
        return updates
    return [hide_subdocuments(update, secret) for update in updates]


def show_subdocuments(update: bytes, secret: bytes) -> bytes:
    """Return an update that the decoder gave out with the sub-documents that were hidden in it."""
    at = update.find(secret)
    if at < 0:
        return update
    found: list[_Replacement] = []
    while at >= 0:
        shown = _shown_at(update, at, secret)
        if shown is None:
            # Its place was written in more bytes than the decoder takes for it.
            return _replaced(update, list(_shown(update, secret)))
        found.append(shown)
        at = update.find(secret, shown[1])
    return _replaced(update, found)


_Replacement = tuple[int, int, bytes]
"""From where to where in an update, and with what."""


def _may_be_options(match: re.Match[bytes]) -> bool:
    reader = Reader(match.string)
    reader.position = match.start()
    try:
        read_any(reader)
    except _UNKNOWN_FORM:
        return False
    return True


def _hidden(update: bytes, secret: bytes) -> Iterator[_Replacement]:
    for start, content, end in _items(update, _SUBDOCUMENT):
        # Where it begins can then be told from where its content does, without reading all.
        value = secret + var_uint(content - start) + update[content:end]
        yield start, end, _item(update[start:content], _BINARY, var_uint(len(value)) + value)


def _shown_at(update: bytes, at: int, secret: bytes) -> _Replacement | None:
    """Return how to show what is hidden behind the secret at a position; None if not to be told."""
    reader = Reader(update)
    try:
        reader.position = at + len(secret)
        place_length = reader.number()
        content = reader.position
        read_content(reader, _SUBDOCUMENT)
        end = reader.position
        head_end = at - len(var_uint(end - at))
        start = head_end - place_length
        if start < 0:
            return None
        reader.position = start
        info = reader.byte()
        read_place(reader, info)
        is_it = info & _KIND_BITS == _BINARY and reader.position == head_end
        if not is_it or reader.number() != end - at or reader.position != at:
            return None
    except _UNKNOWN_FORM:
        return None
    return start, end, _item(update[start:head_end], _SUBDOCUMENT, update[content:end])


def _shown(update: bytes, secret: bytes) -> Iterator[_Replacement]:
    for start, content, end in _items(update, _BINARY):
        reader = Reader(update[content:end])
        value = Reader(reader.bytes_())
        if update.startswith(secret, end - value.left()):
            value.skip(len(secret))
            value.number()
            shown = update[end - value.left() : end]
            yield start, end, _item(update[start:content], _SUBDOCUMENT, shown)


def _items(update: bytes, wanted: int) -> Iterator[tuple[int, int, int]]:
    """Yield where items of a kind begin, where their content does, and where they end."""
    reader = Reader(update)
    for _ in range(reader.number()):
        count, _, _ = reader.number(), reader.number(), reader.number()
        for _ in range(count):
            start = reader.position
            info = reader.byte()
            kind = info & _KIND_BITS
            if kind in _WITHOUT_CONTENT:
                reader.number()
                continue
            read_place(reader, info)
            content = reader.position
            read_content(reader, kind)
            if kind == wanted:
                yield start, content, reader.position


def _item(head: bytes, kind: int, content: bytes) -> bytes:
    """Return an item with the place of another."""
    return bytes([head[0] & ~_KIND_BITS | kind]) + head[1:] + content


def _replaced(update: bytes, replacements: Sequence[_Replacement]) -> bytes:
    parts: list[bytes] = []
    position = 0
    for start, end, other in replacements:
        parts += (update[position:start], other)
        position = end
    return b"".join((*parts, update[position:])) if parts else update
