"""Watches a message that is not whole: it goes on fast enough, and has memory for its bytes."""

import asyncio
from typing import Protocol

from relay.errors import CloseCode
from relay.limits import (
    MESSAGE_CONTENDED_BYTES_PER_S,
    MESSAGE_LEAST_BYTES_PER_S,
    MESSAGE_WINDOWS_WAITED_MAX,
    ORDINARY_MESSAGE_BYTES,
)
from relay.transport_bounds import TransportBounds


class Receiving(Protocol):
    """The websocket that is watched."""

    messages_received: int

    @property
    def held_bytes(self) -> int:
        """What is there of a message that is not whole."""
        ...

    def give_up(self, code: CloseCode, reason: str) -> None:
        """Close the websocket."""
        ...

    def take_turn(self) -> None:
        """Read on."""
        ...


class MessageWatch:
    """One for each websocket; it has a timer only while a message is not whole."""

    __slots__ = (
        "_bounds",
        "_is_counted",
        "_is_waiting",
        "_loop",
        "_receiving",
        "_seen_bytes",
        "_seen_messages",
        "_timer",
        "_windows_waited",
    )

    def __init__(
        self, receiving: Receiving, bounds: TransportBounds, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._receiving = receiving
        self._bounds = bounds
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._seen_bytes = 0
        self._seen_messages = 0
        self._is_counted = False
        self._is_waiting = False
        self._windows_waited = 0

    def may_go_on(self, held_bytes: int, queued_bytes: int) -> bool:
        """Hear what is there of a message, and of whole ones that the application has not taken.

        Return whether more may be read. If not, ``take_turn`` is called when it may.
        """
        if held_bytes and self._timer is None:
            self._begin_window()
        if held_bytes + queued_bytes <= ORDINARY_MESSAGE_BYTES:
            self._let_go()
            return True
        if not self._is_waiting:
            incoming = self._bounds.incoming
            self._is_counted = True
            self._is_waiting = not incoming.grow(self, held_bytes + queued_bytes)
            if self._is_waiting and incoming.is_crowded:
                self._receiving.give_up(CloseCode.TOO_MANY, "too many large messages at once")
        return not self._is_waiting

    def resume(self) -> None:
        """Hear that it is this one's turn; it reads soon, in a turn of its own."""
        self._is_waiting = False
        self._loop.call_soon(self._receiving.take_turn)

    def stop(self) -> None:
        """Let go of everything; the websocket is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._let_go()

    def _let_go(self) -> None:
        if self._is_counted:
            self._is_counted = self._is_waiting = False
            self._bounds.incoming.done(self)

    # ---- the window -------------------------------------------------------------------------

    def _begin_window(self) -> None:
        self._seen_bytes = self._receiving.held_bytes
        self._seen_messages = self._receiving.messages_received
        self._timer = self._loop.call_later(self._bounds.message_window_s, self._end_window)

    def _end_window(self) -> None:
        self._timer = None
        if not self._receiving.held_bytes:
            return
        self._windows_waited = self._windows_waited + 1 if self._is_waiting else 0
        if self._windows_waited >= MESSAGE_WINDOWS_WAITED_MAX:
            self._receiving.give_up(CloseCode.TOO_MANY, "too many large messages at once")
        elif self._is_too_slow():
            self._receiving.give_up(CloseCode.TOO_SLOW, "a message came too slowly")
        else:
            self._begin_window()

    def _is_too_slow(self) -> bool:
        is_another = self._receiving.messages_received != self._seen_messages
        if is_another or self._is_waiting:
            return False
        is_contended = self._is_counted and self._bounds.incoming.is_contended
        per_s = MESSAGE_CONTENDED_BYTES_PER_S if is_contended else MESSAGE_LEAST_BYTES_PER_S
        come = self._receiving.held_bytes - self._seen_bytes
        return come < per_s * self._bounds.message_window_s
