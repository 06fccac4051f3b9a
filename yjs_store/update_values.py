"""Checks the values within an update, Any and JSON, without building what they say; pure."""

import json
import re
from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.limits import JSON_VALUES_MAX, UPDATE_VALUES_MAX, VALUE_DEPTH_MAX
from yjs_store.update_reader import Reader

_ARRAY: Final = 117
_OBJECT: Final = 118
_STRING: Final = 119
_BINARY: Final = 116
_INTEGER: Final = 125
# Bytes after the tag: bigint, float64, float32; undefined, null, true and false have none.
_FIXED: Final = {122: 8, 123: 8, 124: 4, 127: 0, 126: 0, 121: 0, 120: 0}

# What formats mostly say: most of the JSON that editors send.
_FREQUENT_JSON: Final = frozenset({"null", "true", "false", "{}", '""'})
_STRINGS_AND_BRACKETS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


class TooMuchToInspect(Exception):
    """There is more in the update than the work that was allowed; nothing is known of it."""


class ValueCounter:
    """How many values were met so far, and how deep the deepest of them nests."""

    __slots__ = ("_work_max", "count", "depth")

    def __init__(self, work_max: int | None) -> None:
        self._work_max = UPDATE_VALUES_MAX if work_max is None else work_max
        self.count = 0
        self.depth = 0

    def read_any_list(self, reader: Reader) -> int:
        """Read a number and as many values; return the number.

        Raises:
            UpdateRefused: as ``read_any``.
        """
        count = reader.number()
        if count > reader.left():
            raise IndexError("it ends early")
        self._add(count)
        for _ in range(count):
            self.read_any(reader)
        return count

    def read_any(self, reader: Reader) -> None:
        """Read one value; what is in it counts, not itself.

        Raises:
            UpdateRefused: a tag is not known, or it nests too deep, or there are too many.
        """
        tag = reader.byte()
        # For each container that is open, the values it still has; an object's have keys.
        open_containers: list[tuple[int, bool]] = []
        left, has_keys = 0, False
        while True:
            if tag == _STRING:
                reader.text()
            elif tag in _FIXED:
                reader.skip(_FIXED[tag])
            elif tag == _INTEGER:
                reader.signed_number()
            elif tag == _BINARY:
                reader.skip(reader.number())
            elif tag in (_ARRAY, _OBJECT):
                open_containers.append((left, has_keys))
                left, has_keys = reader.number(), tag == _OBJECT
                self._note(len(open_containers), left, reader)
            else:
                raise UpdateRefused(f"no value has the tag {tag}")
            while not left:
                if not open_containers:
                    return
                left, has_keys = open_containers.pop()
            left -= 1
            if has_keys:
                reader.text()
            tag = reader.byte()

    def _note(self, depth: int, values: int, reader: Reader) -> None:
        if values > reader.left():
            raise IndexError("it ends early")
        self._add(values)
        if depth > self.depth:
            self.depth = depth
            if depth > VALUE_DEPTH_MAX:
                raise UpdateRefused(f"a value nests deeper than {VALUE_DEPTH_MAX}")

    def _add(self, values: int) -> None:
        self.count += values
        if self.count > UPDATE_VALUES_MAX:
            raise UpdateRefused(f"it has more than {UPDATE_VALUES_MAX} values")
        if self.count > self._work_max:
            raise TooMuchToInspect

    def check_json(self, text: str) -> None:
        """Check a text that clients give to ``JSON.parse``.

        Raises:
            UpdateRefused: it would throw, or the value nests too deep, or there are too many.
        """
        self._add(1)
        if text in _FREQUENT_JSON:
            return
        opened = text.count("[") + text.count("{")
        # Before it is parsed, which takes memory for each value: as many as there can be.
        values = opened + text.count(",")
        if values > JSON_VALUES_MAX:
            raise UpdateRefused(
                f"its JSON may have {values} values; the bound is {JSON_VALUES_MAX}"
            )
        self._add(values)
        if opened > self.depth:
            self.depth = max(self.depth, _json_depth(text))
            if self.depth > VALUE_DEPTH_MAX:
                raise UpdateRefused(f"a value nests deeper than {VALUE_DEPTH_MAX}")
        try:
            _parse(text)
        except (ValueError, RecursionError) as error:
            raise UpdateRefused(f"it has JSON that does not parse: {error}") from error


def _json_depth(text: str) -> int:
    """Return how many brackets are open at most; of text that does not parse, something."""
    depth = deepest = 0
    for match in _STRINGS_AND_BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# As JavaScript: integers of any length are floats, and there is no NaN.
_parse: Final = json.JSONDecoder(parse_int=float, parse_constant=_no_constant).decode
