"""What systemd hears, and that nothing depends on it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.service_manager import ServiceManager


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        yield heard


def environment(heard: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": heard.getsockname(), **more}


def hear(heard: socket.socket) -> str:
    return heard.recv(4096).decode()


def test_each_word_is_a_datagram_of_its_own(listening: socket.socket) -> None:
    manager = ServiceManager.from_environment(environment(listening), 7)
    manager.status("starting")
    manager.more_time(20)
    manager.ready()
    manager.alive()
    manager.stopping()
    assert [hear(listening) for _ in range(5)] == [
        "STATUS=starting",
        "EXTEND_TIMEOUT_USEC=20000000",
        "READY=1",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_status_is_one_line_and_said_once(listening: socket.socket) -> None:
    """A line break would begin another word: READY=1, say."""
    manager = ServiceManager.from_environment(environment(listening), 7)
    manager.status("failing:\nREADY=1")
    manager.status("failing:\nREADY=1")
    manager.status("x" * 10_000)
    assert hear(listening) == "STATUS=failing: READY=1"
    assert hear(listening) == "STATUS=" + "x" * 500
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        hear(listening)


def test_an_address_that_is_no_file_is_spoken_to(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + str(tmp_path))
        heard.settimeout(5)
        ServiceManager(f"@{tmp_path}").ready()
        assert hear(heard) == "READY=1"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1", "relative", "@", "/" + "x" * 300])
def test_whoever_cannot_be_told_is_not(address: str | None) -> None:
    given = {} if address is None else {"NOTIFY_SOCKET": address}
    ServiceManager.from_environment(given, 7).ready()


def test_nobody_waits_for_one_who_does_not_listen(listening: socket.socket) -> None:
    manager = ServiceManager.from_environment(environment(listening), 7)
    for _ in range(5_000):
        manager.alive()
    assert hear(listening) == "WATCHDOG=1"


@pytest.mark.parametrize(
    ("given", "beat_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_a_beat_comes_twice_in_the_time_allowed(
    given: dict[str, str], beat_s: float | None, listening: socket.socket
) -> None:
    manager = ServiceManager.from_environment(environment(listening, **given), 7)
    assert manager.beat_s == beat_s


def test_without_a_socket_no_beat_is_wanted() -> None:
    assert ServiceManager.from_environment({"WATCHDOG_USEC": "60000000"}, 7).beat_s is None
