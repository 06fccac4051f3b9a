"""Makes what a person types: one Yjs update for each keystroke, and what it comes to."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pycrdt

ROOT: Final = "text"

# Which words they are changes nothing measured; their mean length is near that of English.
_VOCABULARY = """
the of and a to in is you that it he was for on are as with his they at be this have from or one
had by word but not what all were we when your can said there use an each which she do how their
if will up other about out many then them these so some her would make like him into time has look
two more write go see number no way could people my than first water been called who oil sit now
find long down day did get come made may part document editor server between sentence paragraph
"""
_WORDS: Final = tuple(_VOCABULARY.split())

# One keystroke in twenty takes back a letter; one word in thirty is typed elsewhere, and then
# half of those that follow it.
_BACKSPACE_RUN_CHANCE: Final = 0.02
_BACKSPACE_RUN_MAX: Final = 4
_JUMP_CHANCE: Final = 0.033


class Content(NamedTuple):
    """What two replicas of a typed document must agree in."""

    text: str
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class History:
    """The keystrokes of one writer, and the document they come to.

    The last one is an insert, and no run of deletes is longer than a few.
    """

    client_id: int
    updates: list[bytes]
    is_insert: list[bool]
    content: Content

    def content_after(self, count: int) -> Content:
        """Return what the first ``count`` keystrokes come to."""
        return self.content if count == len(self.updates) else replay(self.updates[:count])


def type_history(count: int, seed: int) -> History:
    """Type ``count`` keystrokes; the same seed gives the same ones."""
    rng = random.Random(seed)
    # As JavaScript clients choose it: most of 32 bits, so five bytes as a varUint.
    client_id = rng.randrange(1 << 28, 1 << 32)
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
    text = doc.get(ROOT, type=pycrdt.Text)
    updates: list[bytes] = []
    is_insert: list[bool] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    for cursor, letter in _keystrokes(count, rng):
        if letter is None:
            del text[cursor]
        else:
            text.insert(cursor, letter)
        is_insert.append(letter is not None)
    doc.unobserve(subscription)
    assert len(updates) == count, "each keystroke is one update"
    return History(client_id, updates, is_insert, content_of(doc))


def _keystrokes(count: int, rng: random.Random) -> Iterator[tuple[int, str | None]]:
    """Yield (position, letter), or None for the letter that is deleted there."""
    length = cursor = done = 0
    while done < count:
        if length and rng.random() < _JUMP_CHANCE:
            cursor = rng.randrange(length)
        elif rng.random() < 0.5:
            cursor = length
        for letter in rng.choice(_WORDS) + " ":
            is_last = done + 1 == count
            while cursor and not is_last and rng.random() < _BACKSPACE_RUN_CHANCE:
                for _ in range(min(cursor, rng.randint(1, _BACKSPACE_RUN_MAX), count - done - 1)):
                    cursor -= 1
                    length -= 1
                    done += 1
                    yield cursor, None
                is_last = done + 1 == count
            yield cursor, letter
            cursor += 1
            length += 1
            done += 1
            if done == count:
                return


def replay(updates: list[bytes]) -> Content:
    """Return what updates come to in a fresh document."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    for update in updates:
        doc.apply_update(update)
    return content_of(doc)


def content_of(doc: pycrdt.Doc[Any]) -> Content:
    """Return what is compared of a document."""
    return Content(str(doc.get(ROOT, type=pycrdt.Text)), doc.get_state())
