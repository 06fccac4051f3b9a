"""People who edit, each change one update; and readers of what came of it."""

import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pycrdt
from leaving_out import leave_out
from pycrdt import Array, Doc, Map, Text

Value = Any


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader sees: the three root types that editors write to, as plain values."""

    text: str
    map: Any
    array: Any


class Editor:
    """A replica whose every change is kept as one update, oldest first."""

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.text = self.doc.get("text", type=Text)
        self.map = self.doc.get("map", type=Map)
        self.array = self.doc.get("array", type=Array)
        self.updates: list[bytes] = []
        self._is_reading = False
        self._subscription = self.doc.observe(self._note)

    def _note(self, event: Any) -> None:
        if not self._is_reading:
            self.updates.append(event.update)

    def change(self, edit: Callable[[], object]) -> bytes:
        """Make one change of whatever ``edit`` does; return its update."""
        with self.doc.transaction():
            edit()
        return self.updates[-1]

    def write(self, string: str, at: int | None = None) -> bytes:
        """Insert ASCII text, at the end unless told."""
        at = len(self.text) if at is None else at
        return self.change(lambda: self.text.insert(at, string))

    def write_letters(self, string: str) -> list[bytes]:
        """Append letter by letter; return one update for each."""
        return [self.write(letter) for letter in string]

    def erase(self, start: int, end: int) -> bytes:
        """Delete text."""

        def edit() -> None:
            del self.text[start:end]

        return self.change(edit)

    def put(self, key: str, value: Value) -> bytes:
        """Set a key of the map."""
        return self.change(lambda: self.map.__setitem__(key, value))

    def drop(self, key: str) -> bytes:
        """Delete a key of the map."""
        return self.change(lambda: self.map.__delitem__(key))

    def push(self, value: Value, at: int | None = None) -> bytes:
        """Insert into the array, at the end unless told."""
        at = len(self.array) if at is None else at
        return self.change(lambda: self.array.insert(at, value))

    def pull(self, index: int) -> bytes:
        """Delete from the array."""
        return self.change(lambda: self.array.__delitem__(index))

    def see(self, updates: Iterable[bytes]) -> None:
        """Take in what others did."""
        self._is_reading = True
        for update in updates:
            self.doc.apply_update(update)
        self._is_reading = False

    @property
    def state(self) -> bytes:
        """Everything this replica has, as one update."""
        return self.doc.get_update()

    def read(self) -> Reading:
        """What the editor sees."""
        return Reading(str(self.text), self.map.to_py(), self.array.to_py())


def read(*updates: bytes) -> Reading:
    """Decode updates with pycrdt, whatever their order."""
    reader = Editor(1)
    reader.see([pycrdt.merge_updates(*updates)] if updates else [])
    return reader.read()


def has_y_py() -> bool:
    """Whether the second decoder can be asked.

    There are Pythons that it is not made for; where CI=true it must be there.
    """
    is_there = importlib.util.find_spec("y_py") is not None
    assert is_there or os.environ.get("CI") != "true", "CI must compare with y-py"
    return is_there


def need_y_py() -> None:
    """Skip a test that is about the second decoder where that is not."""
    if not has_y_py():
        leave_out("there is no y-py for this version of Python")


def read_with_y_py(update: bytes) -> Reading:
    """Decode an update with y-py, the second decoder."""
    y_py = importlib.import_module("y_py")
    doc = y_py.YDoc()
    y_py.apply_update(doc, update)
    return Reading(
        str(doc.get_text("text")),
        json.loads(doc.get_map("map").to_json()),
        json.loads(doc.get_array("array").to_json()),
    )


def letters(string: str, client_id: int = 7) -> list[bytes]:
    """The updates of somebody who types a string letter by letter."""
    return Editor(client_id).write_letters(string)
