"""Reads state vectors and delete sets; pure, and it reserves no memory for what they promise."""

from collections.abc import Iterator

from yjs_store.errors import UpdateRefused
from yjs_store.update_v1 import Ranges, joined, write_deletes

EMPTY_UPDATE = b"\x00\x00"
EMPTY_STATE_VECTOR = b"\x00"

DeleteSet = Ranges


def parse_state_vector(state_vector: bytes) -> dict[int, int]:
    """Return the next clock per client.

    Raises:
        UpdateRefused: the bytes do not decode.
    """
    numbers = _var_uints(state_vector)
    try:
        return {next(numbers): next(numbers) for _ in range(next(numbers))}
    except (StopIteration, RuntimeError):
        raise UpdateRefused("the state vector ends early") from None


def parse_delete_set(update_without_structs: bytes) -> DeleteSet:
    """Return the delete set of an update that has no structs (``diff`` against its own state).

    Raises:
        UpdateRefused: there are structs, or the bytes do not decode.
    """
    numbers = _var_uints(update_without_structs)
    try:
        if next(numbers) != 0:
            raise UpdateRefused("the update has structs")
        deletes: DeleteSet = {}
        for _ in range(next(numbers)):
            client = next(numbers)
            ranges = deletes.setdefault(client, [])
            for _ in range(next(numbers)):
                start = next(numbers)
                ranges.append((start, start + next(numbers)))
    except StopIteration:
        raise UpdateRefused("the delete set ends early") from None
    return {client: joined(ranges) for client, ranges in deletes.items() if ranges}


def delete_everything(state_vector: bytes) -> bytes:
    """Return the update that deletes all that a replica at ``state_vector`` has."""
    clocks = parse_state_vector(state_vector)
    return write_deletes({client: [(0, clock)] for client, clock in clocks.items() if clock})


def check_count(data: bytes) -> None:
    """Refuse a first number, of clients, that the bytes cannot hold.

    The decoder reserves memory for whatever number it is told.
    """
    if next(_var_uints(data), 0) > len(data):
        raise UpdateRefused("it says that it has more clients than bytes")


def _var_uints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 63:
                raise UpdateRefused("a number is longer than 64 bits")
        else:
            yield value
            value = shift = 0
