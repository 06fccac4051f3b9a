"""Websocket frames for a load generator: made once with a zero mask, split without copying twice.

The handshake is left to `websockets`; this is only what runs millions of times.
"""

import struct

from benchlib.errors import RunFailed

TEXT = 1
BINARY = 2
CLOSE = 8
PING = 9
PONG = 10

_FINAL = 0x80
_MASKED = 0x80
# Masking with zeros changes no byte, and is as legal as any other mask (RFC 6455, 5.3).
_ZERO_MASK = bytes(4)


def make_client_frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole frame as a client sends it."""
    return _make_head(opcode, len(payload), _MASKED) + _ZERO_MASK + payload


def make_server_frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole frame as a server sends it."""
    return _make_head(opcode, len(payload), 0) + payload


def _make_head(opcode: int, length: int, masked: int) -> bytes:
    if length < 126:
        return bytes((_FINAL | opcode, masked | length))
    if length < 1 << 16:
        return struct.pack("!BBH", _FINAL | opcode, masked | 126, length)
    return struct.pack("!BBQ", _FINAL | opcode, masked | 127, length)


def split_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the whole frames in ``data`` as (opcode, payload), and the bytes after them.

    Reads both directions; of masks it knows only the one that ``make_client_frame`` writes.

    Raises:
        RunFailed: a frame is a fragment; no server of interest cuts what is this small.
    """
    frames = []
    position = 0
    available = len(data)
    while available - position >= 2:
        head = data[position]
        length = data[position + 1] & 0x7F
        start = position + (2 if length < 126 else 4 if length == 126 else 10)
        if start > available:
            break
        if length >= 126:
            length = int.from_bytes(data[position + 2 : start])
        if data[position + 1] & _MASKED:
            start += 4
        end = start + length
        if end > available:
            break
        if head < _FINAL or head & 0x0F == 0:
            raise RunFailed("the server sends fragments of messages")
        frames.append((head & 0x0F, data[start:end]))
        position = end
    return frames, data[position:]
