"""How a store and its workers talk: pickles, each with its length in front.

Both ends are this program, on pipes that nobody else has.
"""

import pickle
import struct
from typing import Any, Final

from yjs_store.limits import SNAPSHOT_BYTES_MAX

LENGTH: Final = struct.Struct("<Q")
# The rows and the snapshot of the largest document, or its candidate, with all their numbers.
MESSAGE_BYTES_MAX: Final = 4 * SNAPSHOT_BYTES_MAX


def pack(message: Any) -> bytes:
    """Return the bytes of a message, its length included."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def unpack_length(data: bytes) -> int:
    """Return the length that is in front of a message.

    Raises:
        UnpicklingError: no message is that long.
    """
    length: int = LENGTH.unpack(data)[0]
    if length > MESSAGE_BYTES_MAX:
        raise pickle.UnpicklingError(f"a message of {length} bytes")
    return length


def unpack(data: bytes) -> Any:
    """Return the message, given its bytes without the length.

    Raises:
        UnpicklingError: they are no message.
    """
    try:
        return pickle.loads(data)  # noqa: S301  (see the module's docstring)
    except Exception as error:
        # By what is wrong with the bytes, pickle raises nearly anything.
        raise pickle.UnpicklingError(str(error)) from error
