"""Websocket frames of a client, proper or not."""

import struct

# First bytes of whole messages.
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def frame(
    first: int,
    payload: bytes = b"",
    *,
    length: int | None = None,
    form: int | None = None,
    mask: bytes | None = bytes(4),
) -> bytes:
    """Return a frame with this first byte.

    ``length`` is what it claims to carry, and ``form`` (0, 126 or 127) in which field. A mask of
    zeros leaves the payload as it is; any other is not applied, since noise is as good.
    """
    size = len(payload) if length is None else length
    if form is None:
        form = 0 if size < 126 else 126 if size < 65536 else 127
    masked = 0 if mask is None else 0x80
    head = bytes((first, masked | (form or size & 0x7F)))
    if form == 126:
        head += struct.pack("!H", size & 0xFFFF)
    elif form == 127:
        head += struct.pack("!Q", size)
    return head + (mask or b"") + payload
