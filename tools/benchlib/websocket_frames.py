"""Websocket frames for a load generator: made once with a zero mask, split without copying twice.

The handshake is left to `websockets`; this is only what runs millions of times.
"""

import struct

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
    """Return the whole messages in ``data`` as (opcode, payload), and the bytes after them.

    Reads both directions; of masks it knows only the one that ``make_client_frame`` writes. A
    control frame between fragments is returned each time until its message is whole.
    """
    frames = []
    fragments: list[bytes] = []
    position = taken = opcode = 0
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
        position = end
        if head & 0x0F >= CLOSE:
            frames.append((head & 0x0F, data[start:end]))
        else:
            opcode = head & 0x0F or opcode
            fragments.append(data[start:end])
            if head >= _FINAL:
                frames.append((opcode, b"".join(fragments)))
                fragments.clear()
        if not fragments:
            taken = end
    return frames, data[taken:]
