"""Reads the few messages that honest clients look at; a server's own are always proper."""


def read_number(data: bytes, at: int) -> tuple[int, int]:
    """Return the varUint at a position, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def read_sync(message: bytes) -> tuple[int, bytes | None]:
    """Return step and payload of a SyncStep2 or Update; no payload for anything else."""
    if message[:1] != b"\0" or message[1:2] not in (b"\1", b"\2"):
        return 0, None
    size, at = read_number(message, 2)
    return message[1], message[at : at + size]


def read_state_vector(data: bytes) -> dict[int, int]:
    """Return the clocks by client."""
    clocks = {}
    count, at = read_number(data, 0)
    for _ in range(count):
        client, at = read_number(data, at)
        clocks[client], at = read_number(data, at)
    return clocks
