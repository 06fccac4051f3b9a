"""Before the store is open everybody is told to come again, and nothing is read of anybody."""

import json
from typing import Any

import pytest
from starlette.types import Message

from relay.front import Front


async def ask(front: Front, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("a body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"relay")],
        "scheme": "http",
        "server": ("relay", 80),
    }
    await front(scope, receive, send)
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, body["body"]


async def test_a_server_that_starts_is_live_and_not_ready() -> None:
    status, _, body = await ask(Front(), "GET", "/health/live")
    assert (status, json.loads(body)) == (200, {"status": "live"})
    status, headers, body = await ask(Front(), "GET", "/health/ready")
    assert (status, json.loads(body)) == (503, {"status": "starting"})
    assert headers["retry-after"] == "1"


async def test_every_other_path_and_method_gets_one_answer() -> None:
    """Whether there are admin routes is not to be seen (P-contract)."""
    asked = [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/debug/storage"),
        ("POST", "/admin/documents/x/delete"),
        ("DELETE", "/admin"),
        ("POST", "/health/ready"),
        ("POST", "/auth/ticket/doc"),
    ]
    answers = [await ask(Front(), *each) for each in asked]
    assert all(answer == answers[0] for answer in answers)
    status, headers, body = answers[0]
    assert (status, headers["retry-after"]) == (503, "1")
    assert json.loads(body)["error"] == "starting"


async def test_a_websocket_is_closed_with_a_code_that_says_come_again() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Front()({"type": "websocket", "path": "/ws/doc"}, receive, send)
    assert sent == [
        {"type": "websocket.accept"},
        {"type": "websocket.close", "code": 4503, "reason": "the server is starting"},
    ]


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_the_application_answers_once_it_is_there(kind: str) -> None:
    asked: list[object] = []

    async def app(scope: object, _receive: object, _send: object) -> None:
        asked.append(scope)

    front = Front()
    front.serve(app)
    await front({"type": kind}, None, None)  # type: ignore[arg-type]
    assert asked == [{"type": kind}]
