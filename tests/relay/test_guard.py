"""What every HTTP answer has in its head."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from relay.guard import SECURITY_HEADERS, Guard


async def live(_: Request) -> Response:
    return PlainTextResponse("live")


async def page(_: Request) -> Response:
    return PlainTextResponse("page", headers={"Content-Security-Policy": "script-src 'self'"})


APP = Guard(Starlette(routes=[Route("/live", live), Route("/page", page)]))


@pytest.mark.parametrize("path", ["/live", "/nowhere"])
async def test_every_answer_has_the_security_headers(path: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP)) as client:
        answer = await client.get(f"http://relay{path}")
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_body_refused_has_them_too() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP)) as client:
        answer = await client.post("http://relay/live", content=bytes(100_000))
    assert answer.status_code == 413
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_page_may_say_what_it_needs() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP)) as client:
        answer = await client.get("http://relay/page")
    assert answer.headers.get_list("content-security-policy") == ["script-src 'self'"]


async def test_only_what_came_over_tls_asks_for_tls_from_then_on() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP)) as client:
        plain = await client.get("http://relay/live")
        secure = await client.get("https://relay/live")
    assert "strict-transport-security" not in plain.headers
    assert secure.headers["strict-transport-security"].startswith("max-age=")
