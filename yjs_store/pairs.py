"""The texts of a document that have characters of two units, by client and clock; pure.

A unit is what clocks count, two bytes of UTF-16. Whole texts are kept, not single characters, so
that a large one costs two bytes for each unit and no work for each.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

Clocks = dict[int, "array[int]"]
"""Per client some clocks, sorted where that is said."""

HALF_UNIT: Final = "\ufffd".encode("utf-16-le")

# By the high byte of a unit: whether it is the first or the second of a character.
_IS_SECOND: Final = bytes(0xDC <= byte <= 0xDF for byte in range(256))
_FIRSTS: Final = range(0xD8, 0xDC)
_SECONDS: Final = range(0xDC, 0xE0)


@dataclass(slots=True)
class _Texts:
    """The texts of one client, none over another, and the clocks at which they begin; sorted."""

    starts: list[int] = field(default_factory=list)
    units: list[bytearray] = field(default_factory=list)

    def end(self, index: int) -> int:
        return self.starts[index] + len(self.units[index]) // 2


class Pairs:
    """Which clocks are the second of a character of two units, and of which character."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: dict[int, _Texts] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, client: int, clock: int, units: bytes) -> None:
        """Learn of a text; where one is known, that counts."""
        seconds = units[1::2].translate(_IS_SECOND)
        first, end = seconds.find(1) - 1, seconds.rfind(1) + 1
        if first < 0:
            return
        units, clock = units[2 * first : 2 * end], clock + first
        end = clock + len(units) // 2
        texts = self._texts.setdefault(client, _Texts())
        index = bisect_right(texts.starts, clock)
        if index and texts.end(index - 1) > clock:
            index -= 1
        at = clock
        while at < end:
            is_last = index == len(texts.starts)
            stop = end if is_last else min(end, texts.starts[index])
            if stop > at:
                texts.starts.insert(index, at)
                texts.units.insert(index, bytearray(units[2 * (at - clock) : 2 * (stop - clock)]))
            at = max(at, texts.end(index))
            index += 1

    def add_all(self, other: "Pairs", reached: Mapping[int, int]) -> None:
        """Learn of what another knows, and a document that has come so far does not have."""
        for client, texts in other._texts.items():
            clock = reached.get(client, 0)
            for start, units in zip(texts.starts, texts.units, strict=True):
                known = max(0, clock - start)
                self.add(client, start + known, bytes(units[2 * known :]))

    def cut_at(self, edges: Mapping[int, Iterable[int]]) -> Clocks:
        """Return the clocks of the seconds at which something begins or ends; sorted."""
        cuts: Clocks = {}
        for client, clocks in edges.items():
            texts = self._texts.get(client)
            if texts is not None:
                found = {clock for clock in clocks if _is_second(texts, clock)}
                if found:
                    cuts[client] = array("Q", sorted(found))
        return cuts

    def remove(self, cuts: Clocks) -> None:
        """Forget the characters whose seconds have these clocks, all of them known."""
        for client, clocks in cuts.items():
            texts = self._texts[client]
            for clock in clocks:
                index = bisect_right(texts.starts, clock) - 1
                place = 2 * (clock - texts.starts[index])
                texts.units[index][place - 2 : place + 2] = 2 * HALF_UNIT

    def overlay(self, client: int, clock: int, text: str) -> str:
        """Return a text with what is known of it, where it is whole, and U+FFFD for halves."""
        texts = self._texts.get(client)
        if texts is None:
            return text
        units = bytearray(text.encode("utf-16-le"))
        end = clock + len(units) // 2
        index = max(0, bisect_right(texts.starts, clock) - 1)
        while index < len(texts.starts) and texts.starts[index] < end:
            start, stop = max(clock, texts.starts[index]), min(end, texts.end(index))
            if start < stop:
                offset = texts.starts[index]
                known = texts.units[index][2 * (start - offset) : 2 * (stop - offset)]
                units[2 * (start - clock) : 2 * (stop - clock)] = known
            index += 1
        if units and units[1] in _SECONDS:
            units[:2] = HALF_UNIT
        if units and units[-1] in _FIRSTS:
            units[-2:] = HALF_UNIT
        return units.decode("utf-16-le")


def with_halves(clock: int, text: str, cuts: "array[int]") -> str:
    """Return a text with two U+FFFD for each character whose second has one of these clocks."""
    units = bytearray(text.encode("utf-16-le"))
    first = bisect_left(cuts, clock + 1)
    for cut in cuts[first : bisect_left(cuts, clock + len(units) // 2)]:
        place = 2 * (cut - clock)
        if units[place + 1] in _SECONDS:
            units[place - 2 : place + 2] = 2 * HALF_UNIT
    return units.decode("utf-16-le")


def _is_second(texts: _Texts, clock: int) -> bool:
    index = bisect_right(texts.starts, clock) - 1
    if index < 0:
        return False
    units, place = texts.units[index], 2 * (clock - texts.starts[index])
    return 0 < place < len(units) and units[place + 1] in _SECONDS
