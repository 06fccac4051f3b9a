"""What the sockets of one process share: their number, and memory for large messages."""

from dataclasses import dataclass, field

from relay.incoming import IncomingBytes
from relay.limits import (
    CONNECTIONS_MAX,
    CONNECTIONS_PER_ADDRESS_MAX,
    LINGER_S,
    MESSAGE_WINDOW_S,
    REQUEST_S,
    RESPONSE_STALLED_S,
    SOCKETS_SPARE,
)
from relay.sockets import Sockets


@dataclass(slots=True)
class TransportBounds:
    """One for each process. The times are arguments so that tests need not wait for them."""

    sockets: Sockets = field(
        default_factory=lambda: Sockets(
            CONNECTIONS_MAX + SOCKETS_SPARE, CONNECTIONS_PER_ADDRESS_MAX + SOCKETS_SPARE
        )
    )
    incoming: IncomingBytes = field(default_factory=IncomingBytes)
    message_window_s: float = MESSAGE_WINDOW_S
    request_s: float = REQUEST_S
    response_stalled_s: float = RESPONSE_STALLED_S
    linger_s: float = LINGER_S
