"""Generated histories: three people edit the same document at once."""

from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import strategies as st
from pycrdt import Array, Map, Text

from .editing import Editor

# Small, two-byte and largest client ids encode and sort differently.
CLIENT_IDS: Final = (3, 300, 2**32 - 1)

_WORDS: Final = ("x", "yz", "hello")
_KEYS: Final = ("k", "l")
_VALUES: Final = (1, "s", None, True, [1, {"a": 2}], 2.5)


def _write(editor: Editor, a: int, b: int) -> None:
    editor.write(_WORDS[b % 3], a % (len(editor.text) + 1))


def _erase(editor: Editor, a: int, b: int) -> None:
    if length := len(editor.text):
        start = a % length
        editor.erase(start, min(length, start + 1 + b % 4))


def _put(editor: Editor, a: int, b: int) -> None:
    editor.put(_KEYS[a % 2], _VALUES[b % len(_VALUES)])


def _put_nested(editor: Editor, a: int, b: int) -> None:
    nested = (Text("nested"), Map({"z": 1}), Array([1, 2]))[b % 3]
    editor.put(_KEYS[a % 2], nested)


def _drop(editor: Editor, a: int, _b: int) -> None:
    if _KEYS[a % 2] in editor.map:
        editor.drop(_KEYS[a % 2])


def _push(editor: Editor, a: int, b: int) -> None:
    editor.push(_VALUES[b % len(_VALUES)], a % (len(editor.array) + 1))


def _pull(editor: Editor, a: int, _b: int) -> None:
    if len(editor.array):
        editor.pull(a % len(editor.array))


def _several(editor: Editor, a: int, b: int) -> None:
    def edit() -> None:
        editor.text.insert(a % (len(editor.text) + 1), "both")
        editor.map["k"] = b

    editor.change(edit)


EDITS: Final[tuple[Callable[[Editor, int, int], None], ...]] = (
    _write,
    _write,
    _erase,
    _put,
    _put_nested,
    _drop,
    _push,
    _pull,
    _several,
)

_STEPS = st.tuples(
    st.integers(0, 2), st.integers(0, len(EDITS) + 2), st.integers(0, 99), st.integers(0, 99)
)


def play(steps: Sequence[tuple[int, int, int, int]]) -> list[bytes]:
    """Let three editors do what the steps say; return their updates in the order they were made.

    A step is who, what, and two numbers that say where; numbers beyond the edits make an editor
    see everything that another has.
    """
    editors = [Editor(client_id) for client_id in CLIENT_IDS]
    made: list[bytes] = []
    for who, what, a, b in steps:
        editor = editors[who]
        if what < len(EDITS):
            before = len(editor.updates)
            EDITS[what](editor, a, b)
            made += editor.updates[before:]
        else:
            editor.see([editors[(who + 1 + a % 2) % 3].state])
    return made


@st.composite
def histories(draw: st.DrawFn, steps_max: int = 25) -> list[bytes]:
    """Updates in an order in which each comes after what it builds on; at least one."""
    steps = draw(st.lists(_STEPS, min_size=1, max_size=steps_max))
    return play([(0, 0, 0, 0), *steps])


@st.composite
def deliveries(draw: st.DrawFn, updates: Sequence[bytes]) -> list[bytes]:
    """The updates in any order, some of them more than once."""
    order = draw(st.permutations(range(len(updates))))
    again = draw(st.lists(st.sampled_from(range(len(updates))), max_size=4))
    return [updates[index] for index in [*order, *again]]


@st.composite
def delivered_histories(draw: st.DrawFn, steps_max: int = 25) -> tuple[list[bytes], list[bytes]]:
    """A history, and the order in which its updates arrive."""
    updates = draw(histories(steps_max))
    return updates, draw(deliveries(updates))
