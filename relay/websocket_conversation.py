"""The websocket layer's own state machine, with our code for a message above the bound."""

from websockets.frames import CloseCode as StandardCode
from websockets.server import ServerProtocol

from relay.errors import CloseCode
from relay.limits import FRAME_BYTES_MAX, MIB

TOO_LARGE_REASON = (
    f"the message is too large; at most {FRAME_BYTES_MAX // MIB} MiB are taken at once"
)


class Conversation(ServerProtocol):
    """A server's side of one websocket."""

    @property
    def held_bytes(self) -> int:
        """What is there of a frame that is not whole."""
        return len(self.reader.buffer)

    def drop_held(self) -> None:
        """Let go of that; the connection is over."""
        self.reader.buffer.clear()

    def fail(self, code: int, reason: str = "") -> None:
        """End the connection; for good, where the same message would only come again (P5)."""
        if code == StandardCode.MESSAGE_TOO_BIG:
            code, reason = CloseCode.TOO_LARGE, TOO_LARGE_REASON
        super().fail(code, reason)
