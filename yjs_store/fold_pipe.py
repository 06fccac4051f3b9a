"""How messages travel between a store and its fold process: a pickle, its length in front.

Both ends are this program, on pipes that nobody else has.
"""

import pickle
import struct
from typing import Any, Final

LENGTH: Final = struct.Struct("<Q")


def pack(message: Any) -> bytes:
    """Return the bytes of a message, its length included."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def unpack(data: bytes) -> Any:
    """Return the message, given its bytes without the length."""
    return pickle.loads(data)  # noqa: S301  (see the module's docstring)
