"""Asking a server over HTTP: what is known of an act whose answer does not come."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.commands.remote import Server, Unreachable

DEADLINE_S = 20
UNKNOWN = "it is not known whether it was done: look at the audit"
Act = Callable[[Server], object]
ACT: Act = lambda server: server.post("/admin/compact-due")  # noqa: E731
TRIAL: Act = lambda server: server.post("/admin/compact-due", dry_run=1)  # noqa: E731
LOOK: Act = lambda server: server.get("/debug/storage")  # noqa: E731


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A server that reads one request, and then answers and closes; None: it never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        held: list[socket.socket] = []

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(DEADLINE_S)
            held.append(connection)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            if answer is not None:
                connection.sendall(answer)
                connection.close()

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join()
            for connection in held:
                connection.close()


def said(url: str, act: Act) -> str:
    with (
        Server(url, None, timeout=httpx.Timeout(DEADLINE_S, read=0.1)) as server,
        pytest.raises(Unreachable) as raised,
    ):
        act(server)
    assert raised.value.exit_code == 3
    return raised.value.message


LOST = [
    None,
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\n<p>",
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",
]
IDS = ["no-answer", "closed", "cut-short", "500", "502", "504"]


@pytest.mark.parametrize("answer", LOST, ids=IDS)
def test_an_act_whose_answer_is_lost_may_have_been_done(answer: bytes | None) -> None:
    with answering(answer) as url:
        message = said(url, ACT)
    assert UNKNOWN in message
    assert url in message
    assert "cannot reach" not in message


@pytest.mark.parametrize("act", [TRIAL, LOOK], ids=["dry-run", "look"])
@pytest.mark.parametrize("answer", LOST[:3], ids=IDS[:3])
def test_what_changes_nothing_was_not_done(answer: bytes | None, act: Act) -> None:
    with answering(answer) as url:
        message = said(url, act)
    assert message.startswith(f"cannot reach {url}: ")


@pytest.mark.parametrize("act", [ACT, LOOK], ids=["act", "look"])
def test_what_was_not_sent_was_not_done(act: Act) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert said(url, act).startswith(f"cannot reach {url}: ")


def test_a_command_says_that_it_is_not_known_and_ends_with_3() -> None:
    with answering(b"") as url:
        done = CliRunner().invoke(main, ["compact", "notes", "--url", url])
    assert done.exit_code == 3
    assert UNKNOWN in done.output
