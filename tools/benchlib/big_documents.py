"""Makes documents of a wanted size quickly, of structs like those that typing leaves."""

import random
from dataclasses import dataclass
from typing import Any, Final

import pycrdt

from benchlib.history import type_history

_SLICE: Final = 64
_PAGE_KEYSTROKES: Final = 20_000
# JavaScript clients choose ids of 32 bits; all of these take five bytes as a varUint.
_CLIENT_MIN: Final = 1 << 28
_CLIENT_MAX: Final = 1 << 32
_ROOT: Final = "page 00000"


@dataclass(frozen=True, slots=True)
class Kind:
    """How the text of a document came to be: typed, pasted, or some of both."""

    name: str
    pastes: int
    """Pastes for each page of 20,000 keystrokes."""
    paste_letters: int


TYPED: Final = Kind("typed", 0, 0)
MIXED: Final = Kind("typed and pasted", 20, 4000)
PASTED: Final = Kind("one string", 0, 0)
KINDS: Final = {kind.name: kind for kind in (TYPED, MIXED, PASTED)}


def make_document(kind: Kind, byte_length: int, seed: int) -> bytes:
    """Return a document of about so many bytes as one update."""
    if kind is PASTED:
        return _one_string(byte_length, seed)
    page, client = _type_page(kind, seed, _PAGE_KEYSTROKES)
    if byte_length < len(page):
        # Too short for a share of pastes; a keystroke comes to some four bytes.
        return _type_page(TYPED, seed, byte_length // 4)[0]
    count = round(byte_length / len(page))
    # Pages differ in their client and in the name of their root only. Both have one length, so
    # that the bytes of one page make those of another: typing them would take minutes.
    old = _var_uint(client)
    rng = random.Random(seed)
    clients = rng.sample(range(_CLIENT_MIN, _CLIENT_MAX), count)
    pages = [
        page.replace(old, _var_uint(new)).replace(_ROOT.encode(), f"page {index:05}".encode())
        for index, new in enumerate(clients)
    ]
    while len(pages) > 1:
        pages = [
            pycrdt.merge_updates(*pages[start : start + _SLICE])
            for start in range(0, len(pages), _SLICE)
        ]
    return pages[0]


def _type_page(kind: Kind, seed: int, keystrokes: int) -> tuple[bytes, int]:
    """Type a page into a root of its own, paste into it; return it and its client."""
    rng = random.Random(seed)
    client = rng.randrange(_CLIENT_MIN, _CLIENT_MAX)
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client)
    text = doc.get(_ROOT, type=pycrdt.Text)
    words = _typed_text(2000, seed).split()
    length = 0
    paste_chance = kind.pastes / _PAGE_KEYSTROKES
    cursor = 0
    for _ in range(keystrokes):
        chance = rng.random()
        if chance < paste_chance:
            pasted = _words(words, rng, kind.paste_letters)
            text.insert(cursor, pasted)
            length += len(pasted)
            cursor += len(pasted)
        elif chance < 0.06 and cursor:
            cursor -= 1
            length -= 1
            del text[cursor]
        else:
            if chance > 0.97:
                cursor = rng.randrange(length + 1)
            text.insert(cursor, rng.choice("etaoin shrdlu"))
            cursor += 1
            length += 1
    return doc.get_update(), client


def _one_string(byte_length: int, seed: int) -> bytes:
    rng = random.Random(seed)
    words = _typed_text(20_000, seed).split()
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=rng.randrange(_CLIENT_MIN, _CLIENT_MAX))
    doc.get(_ROOT, type=pycrdt.Text).insert(0, _words(words, rng, byte_length))
    return doc.get_update()


def _words(words: list[str], rng: random.Random, letters: int) -> str:
    return " ".join(rng.choices(words, k=letters // 4))[:letters]


def _typed_text(keystrokes: int, seed: int) -> str:
    return type_history(keystrokes, seed).content.text


def _var_uint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
