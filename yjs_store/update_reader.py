"""Reads the numbers, bytes and texts that an update is made of; pure."""

from typing import Final

from yjs_store.errors import UpdateRefused
from yjs_store.limits import UPDATE_NUMBER_MAX

# Seven bits of each byte count; with these many below the last byte a number has 56 bits.
_SHIFT_MAX: Final = 49


class Reader:
    """A position in some bytes; reading moves it.

    Beyond the end each method raises IndexError, and what is not UTF-8 raises UnicodeDecodeError:
    whoever reads a whole update translates them once.
    """

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data)
        self.position = 0

    def byte(self) -> int:
        """Read one byte."""
        value = self._data[self.position]
        self.position += 1
        return value

    def number(self) -> int:
        """Read a var-uint.

        Raises:
            UpdateRefused: it is above 53 bits, or written with more than eight bytes.
        """
        value = self._data[self.position]
        self.position += 1
        if value < 0x80:
            return value
        return self._long_number(value & 0x7F)

    def _long_number(self, value: int) -> int:
        data, position = self._data, self.position
        for shift in range(7, _SHIFT_MAX + 1, 7):
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise UpdateRefused("a number has more than eight bytes")
        if value > UPDATE_NUMBER_MAX:
            raise UpdateRefused("a number has more than 53 bits")
        self.position = position
        return value

    def signed_number(self) -> None:
        """Pass over a var-int: its first byte has six bits and the sign.

        Raises:
            UpdateRefused: as ``number``.
        """
        if self.byte() >= 0x80 and self.number() > UPDATE_NUMBER_MAX >> 6:
            raise UpdateRefused("a number has more than 53 bits")

    def bytes_(self) -> bytes:
        """Read a length and as many bytes."""
        length = self.number()
        start = self.position
        end = start + length
        if end > self._end:
            raise IndexError("it ends early")
        self.position = end
        return self._data[start:end]

    def text(self) -> str:
        """Read a length in bytes and as many bytes of UTF-8."""
        return self.bytes_().decode()

    def skip(self, length: int) -> None:
        """Move on by ``length`` bytes."""
        if self.position + length > self._end:
            raise IndexError("it ends early")
        self.position += length

    def left(self) -> int:
        """Return how many bytes are left."""
        return self._end - self.position
