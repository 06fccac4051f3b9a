"""A message that is not whole goes on fast enough, and has memory for its bytes."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from relay.errors import CloseCode
from relay.incoming import IncomingBytes
from relay.limits import (
    MESSAGE_CONTENDED_BYTES_PER_S,
    MESSAGE_LEAST_BYTES_PER_S,
    MESSAGE_WINDOWS_WAITED_MAX,
    ORDINARY_MESSAGE_BYTES,
)
from relay.message_watch import MessageWatch
from relay.transport_bounds import TransportBounds

WINDOW_S = 10.0
LEAST = int(MESSAGE_LEAST_BYTES_PER_S * WINDOW_S)
LARGE = ORDINARY_MESSAGE_BYTES + 1


class Timer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """Time passes when a test says so."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        assert delay_s == WINDOW_S
        self.timers.append(Timer(callback))
        return self.timers[-1]

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()

    def end_window(self) -> None:
        ended, self.timers = self.timers, []
        for timer in ended:
            if not timer.is_cancelled:
                timer.callback()


class Receiving:
    """A websocket that receives what a test says."""

    def __init__(self, loop: Loop, bounds: TransportBounds) -> None:
        self.held_bytes = 0
        self.messages_received = 0
        self.turns = 0
        self.given_up: CloseCode | None = None
        self.watch = MessageWatch(self, bounds, cast("asyncio.AbstractEventLoop", loop))

    def give_up(self, code: CloseCode, reason: str) -> None:
        assert reason
        self.given_up = code

    def take_turn(self) -> None:
        self.turns += 1

    def hold(self, held_bytes: int, queued_bytes: int = 0) -> bool:
        self.held_bytes = held_bytes
        return self.watch.may_go_on(held_bytes, queued_bytes)

    def finish(self) -> None:
        self.messages_received += 1
        self.hold(0)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def bounds() -> TransportBounds:
    return TransportBounds(incoming=IncomingBytes(3 * LARGE, 1), message_window_s=WINDOW_S)


@pytest.fixture
def open_socket(loop: Loop, bounds: TransportBounds) -> Callable[[], Receiving]:
    return lambda: Receiving(loop, bounds)


OpenSocket = Callable[[], Receiving]


def test_half_a_message_and_then_nothing_is_given_up(loop: Loop, open_socket: OpenSocket) -> None:
    socket = open_socket()
    assert socket.hold(500)
    loop.end_window()
    assert socket.given_up == CloseCode.TOO_SLOW


def test_a_message_that_comes_slowly_but_steadily_is_waited_for(
    loop: Loop, open_socket: OpenSocket
) -> None:
    """A first sync of 30 MB over a slow line takes as long as it takes."""
    socket = open_socket()
    socket.hold(1)
    for window in range(1, 100):
        socket.hold(1 + window * LEAST)
        loop.end_window()
        assert socket.given_up is None
    socket.hold(socket.held_bytes + LEAST - 1)
    loop.end_window()
    assert socket.given_up == CloseCode.TOO_SLOW


def test_a_flat_out_writer_is_always_in_the_middle_of_some_message(
    loop: Loop, open_socket: OpenSocket
) -> None:
    socket = open_socket()
    for held_bytes in (40, 3, 17, 40):
        socket.hold(held_bytes)
        socket.finish()
        socket.hold(held_bytes)
        loop.end_window()
    assert socket.given_up is None


def test_without_a_message_under_way_there_is_no_timer(loop: Loop, open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.hold(10)
    socket.finish()
    loop.end_window()
    assert loop.timers == []


def test_large_messages_take_turns(loop: Loop, open_socket: OpenSocket) -> None:
    first, second = open_socket(), open_socket()
    assert first.hold(2 * LARGE)
    assert not second.hold(LARGE)
    for _ in range(MESSAGE_WINDOWS_WAITED_MAX - 1):
        first.hold(first.held_bytes + 10 * LARGE * int(WINDOW_S))
        loop.end_window()
    assert (first.given_up, second.given_up) == (None, None)
    first.finish()
    assert second.turns == 1
    assert second.hold(2 * LARGE)


def test_a_message_of_ordinary_size_never_waits(open_socket: OpenSocket) -> None:
    first, second = open_socket(), open_socket()
    first.hold(100 * LARGE)
    assert second.hold(ORDINARY_MESSAGE_BYTES)


def test_whole_messages_count_until_the_application_takes_them(open_socket: OpenSocket) -> None:
    first, second = open_socket(), open_socket()
    first.hold(0, queued_bytes=2 * LARGE)
    assert not second.hold(LARGE)
    first.hold(0, queued_bytes=0)
    assert second.turns == 1


def test_while_others_wait_who_has_the_memory_must_be_fast(
    loop: Loop, open_socket: OpenSocket
) -> None:
    first, second = open_socket(), open_socket()
    first.hold(2 * LARGE)
    second.hold(LARGE)
    first.hold(2 * LARGE + 5 * LEAST)
    assert 5 * LEAST < MESSAGE_CONTENDED_BYTES_PER_S * WINDOW_S
    loop.end_window()
    assert first.given_up == CloseCode.TOO_SLOW
    assert second.given_up is None


def test_nobody_waits_for_ever(loop: Loop, open_socket: OpenSocket) -> None:
    first, second = open_socket(), open_socket()
    first.hold(2 * LARGE)
    second.hold(LARGE)
    for _ in range(MESSAGE_WINDOWS_WAITED_MAX):
        assert second.given_up is None
        first.hold(first.held_bytes + 10 * LARGE * int(WINDOW_S))
        loop.end_window()
    assert second.given_up == CloseCode.TOO_MANY


def test_one_too_many_to_wait_is_sent_away(open_socket: OpenSocket) -> None:
    first, second, third = (open_socket() for _ in range(3))
    first.hold(2 * LARGE)
    second.hold(LARGE)
    assert second.given_up is None
    third.hold(LARGE)
    assert third.given_up == CloseCode.TOO_MANY


def test_the_end_lets_go_of_everything(
    loop: Loop, bounds: TransportBounds, open_socket: OpenSocket
) -> None:
    first, second = open_socket(), open_socket()
    first.hold(2 * LARGE)
    second.hold(LARGE)
    first.watch.stop()
    assert second.turns == 1
    second.watch.stop()
    assert not bounds.incoming.is_full
    loop.end_window()
    assert loop.timers == []
