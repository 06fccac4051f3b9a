"""Every route and every kind of credential, against real servers: the table is the expectation."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import websockets
from admin_table import METHODS
from admission_matrix import ADMIN_ROUTES, CELLS, DEBUG_ROUTES, OPEN_ROUTES
from admission_worlds import DOCUMENT, OTHER_DOCUMENT, WITHOUT_TLS, WORLDS, World
from relay_support import deadline

from relay.auth.tickets import write_ticket


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    made: dict[str, World] = {}
    try:
        for mode, world in WORLDS.items():
            made[mode] = world(tmp_path_factory.mktemp(mode))
        for each in made.values():
            each.revoke()
        yield made
    finally:
        for each in made.values():
            each.close()


@pytest.mark.parametrize(("mode", "route", "kind", "expected"), CELLS)
async def test_each_route_answers_each_kind_of_credential_as_the_table_says(
    worlds: dict[str, World], mode: str, route: str, kind: str, expected: int
) -> None:
    world = worlds[mode]
    if route.startswith("websocket"):
        code, said = await by_websocket(world, route, kind)
    else:
        code, said = await by_http(world, route, kind)
    assert code == expected, said
    assert not [secret for secret in world.secrets() if secret in said and code >= 300]


@pytest.mark.parametrize("mode", WORLDS)
async def test_every_admin_route_answers_each_kind_of_credential_alike(
    worlds: dict[str, World], mode: str
) -> None:
    """What is not known of a route is not told either: one answer for all of them."""
    world = worlds[mode]
    kinds = {kind: code for found, route, kind, code in CELLS if (found, route) == (mode, "admin")}
    async with httpx.AsyncClient(trust_env=False, verify=WITHOUT_TLS) as client:
        for kind, code in kinds.items():
            for route, found in ADMIN_ROUTES.items():
                method, path = route.split(" ")
                response = await client.request(
                    method, world.url() + path, headers=authorization(world, kind)
                )
                expected = found if code == 200 else code
                assert response.status_code == expected, (route, kind, response.text)
                assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("row", ["debug", "debug-off"])
@pytest.mark.parametrize("mode", WORLDS)
async def test_every_debug_route_answers_each_kind_of_credential_alike(
    worlds: dict[str, World], mode: str, row: str
) -> None:
    world = worlds[mode]
    kinds = {kind: code for found, route, kind, code in CELLS if (found, route) == (mode, row)}
    async with httpx.AsyncClient(trust_env=False, verify=WITHOUT_TLS) as client:
        for kind, code in kinds.items():
            for path, found in DEBUG_ROUTES.items():
                url = world.url(server_of(row)) + path
                # The stream has no end: its head is the answer.
                async with client.stream(
                    "GET", url, headers=authorization(world, kind)
                ) as response:
                    expected = found if code == 200 else code
                    assert response.status_code == expected, (path, kind)
                    assert response.headers["Cache-Control"] == "no-store"


def server_of(row: str) -> str:
    return "off" if row.endswith("-off") else "on"


@pytest.mark.parametrize("mode", WORLDS)
async def test_without_admin_routes_every_one_is_as_an_unknown_path(
    worlds: dict[str, World], mode: str
) -> None:
    """Byte for byte, for every method and kind of credential, on the wire."""
    world = worlds[mode]
    kinds = [kind for found, route, kind, _ in CELLS if (found, route) == (mode, "admin-off")]
    async with httpx.AsyncClient(trust_env=False, verify=WITHOUT_TLS) as client:

        async def asked(method: str, path: str) -> Told:
            headers = authorization(world, kind)
            return told(await client.request(method, world.url("off") + path, headers=headers))

        for kind in kinds:
            for route in ADMIN_ROUTES:
                own_method, path = route.split(" ")
                for method in METHODS if kind == "admin" else (own_method,):
                    assert await asked(method, path) == await asked(method, "/nowhere"), (
                        kind,
                        route,
                    )


Told = tuple[int, list[tuple[bytes, bytes]], bytes]


def told(response: httpx.Response) -> Told:
    headers = [each for each in response.headers.raw if each[0].lower() != b"date"]
    return response.status_code, headers, response.content


def authorization(world: World, kind: str) -> list[tuple[str, str]]:
    """What HTTP shows of that kind."""
    credential = shown(world, kind)
    if kind == "admin" and is_anonymous(world):
        credential = world.admin_token
    headers = [("Authorization", f"Bearer {credential}")] if kind != "none" else []
    return headers * 2 if kind == "several" else headers


@pytest.mark.parametrize("path", OPEN_ROUTES)
@pytest.mark.parametrize("mode", WORLDS)
async def test_open_routes_ask_for_nothing(worlds: dict[str, World], mode: str, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=WITHOUT_TLS) as client:
        response = await client.get(worlds[mode].url("off") + path)
    assert response.status_code == OPEN_ROUTES[path]


@pytest.mark.parametrize("mode", WORLDS)
def test_no_secret_is_in_any_output_after_all_that(worlds: dict[str, World], mode: str) -> None:
    """Field note 24 and more: what clients showed is in no log line, at any level."""
    world = worlds[mode]
    output = world.output()
    assert "yjs-relay listening" in output
    assert not [secret for secret in world.secrets() if secret in output]
    assert "token=" not in output
    assert "Bearer" not in output


async def by_websocket(world: World, route: str, kind: str) -> tuple[int, str]:
    """Connect; return 101 or the close code, and what was said."""
    headers: list[tuple[str, str]] = []
    query, protocols = "", []
    credential = ticket_of(world, kind) if route == "websocket-ticket" else shown(world, kind)
    if kind == "none":
        pass
    elif route == "websocket":
        headers = [("Authorization", f"Bearer {credential}")]
    elif route == "websocket-subprotocol":
        protocols = ["yjs-relay", f"token.{credential}"]
    else:
        name = "ticket" if route == "websocket-ticket" else "token"
        query = f"?{name}={quote(credential)}"
    if kind == "several":
        query = f"?token={quote(credential)}&token={quote(credential)}"
    url = f"{world.servers['on'].url}/ws/{DOCUMENT}{query}"
    connecting = websockets.connect(
        url, additional_headers=headers, subprotocols=protocols or None, proxy=None
    )
    async with deadline(), connecting as socket:
        assert socket.subprotocol == ("yjs-relay" if protocols else None)
        try:
            await socket.recv()
        except websockets.ConnectionClosed:
            return socket.close_code or 0, socket.close_reason or ""
    return 101, ""


def shown(world: World, kind: str) -> str:
    if world.credentials.keys() >= {"write"} and kind == "several":
        return world.credentials["write"]
    return world.credentials.get(kind, "")


def ticket_of(world: World, kind: str) -> str:
    """Return a ticket of that kind, got as a client gets it where that is possible."""
    if kind == "expired":
        return write_ticket(world.credentials["garbage"], int(time.time() * 1000) - 1)
    if kind in ("none", "garbage", "long", "observer"):
        return world.credentials.get(kind, "")
    token = {"several": "write", "revoked": "behind"}.get(kind, kind)
    document = OTHER_DOCUMENT if kind == "document" else DOCUMENT
    issued = world.post(f"/auth/ticket/{document}", world.credentials[token])
    if kind == "revoked":
        world.revoke_session(issued["session"])
    return str(issued["ticket"])


async def by_http(world: World, route: str, kind: str) -> tuple[int, str]:
    """Ask; return the status and what was said."""
    method, path = "POST", f"/auth/ticket/{DOCUMENT}"
    name = server_of(route)
    if route == "session-unknown":
        path = "/auth/session/there-is-none"
    elif route.startswith("session"):
        owner = "bob" if route == "session-of-other" else "write"
        issued = world.post(f"/auth/ticket/{DOCUMENT}", world.credentials[owner])
        path = f"/auth/session/{issued['session']}"
    elif route.startswith("admin"):
        method, path = "GET", "/admin/sessions"
    elif route.startswith("debug"):
        method, path = "GET", "/debug/storage"
    headers = authorization(world, kind)
    async with httpx.AsyncClient(trust_env=False, verify=WITHOUT_TLS) as client:
        response = await client.request(method, world.url(name) + path, headers=headers)
    if route != "admin-off":
        assert response.headers["Cache-Control"] == "no-store"
        assert response.status_code < 400 or set(response.json()) == {"error", "message"}
    return response.status_code, response.text


def is_anonymous(world: Any) -> bool:
    return type(world) is WORLDS["none"]
