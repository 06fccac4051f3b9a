"""Who is believed when it says for whom it speaks."""

from typing import Any

import httpx
import pytest
import websockets
from listening import listening
from relay_process import ServerProcess
from relay_support import deadline

from relay.config import load_settings
from relay.errors import ConfigError
from relay.proxies import is_in, parse_proxies
from relay.server import serve
from relay.sockets import Sockets
from relay.transport_bounds import TransportBounds


class App:
    """Notes whom it takes its clients for."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append((scope["client"][0], scope["scheme"]))
        await receive()
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})
        else:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})


FORWARDED = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


async def seen_by(app: App, proxies: str, headers: list[tuple[str, str]] | dict[str, str]) -> None:
    async with (
        deadline(),
        listening(app, proxies=parse_proxies(proxies)) as server,
        httpx.AsyncClient() as client,
    ):
        await client.get(f"http://127.0.0.1:{server.port}/", headers=headers)
        url = f"ws://127.0.0.1:{server.port}/ws/doc"
        async with websockets.connect(url, proxy=None, additional_headers=headers):
            pass


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8", "127.0.0.2"])
async def test_a_strangers_headers_change_nothing(proxies: str) -> None:
    app = App()
    await seen_by(app, proxies, FORWARDED)
    assert app.seen == [("127.0.0.1", "http"), ("127.0.0.1", "ws")]


async def test_a_strangers_headers_change_nothing_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """uvicorn reads a variable of its own."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    app = App()
    await seen_by(app, "", FORWARDED)
    assert app.seen == [("127.0.0.1", "http"), ("127.0.0.1", "ws")]


@pytest.mark.parametrize("proxies", ["127.0.0.1", "10.0.0.1, 127.0.0.0/8"])
async def test_a_trusted_proxy_is_believed(proxies: str) -> None:
    app = App()
    await seen_by(app, proxies, FORWARDED)
    assert app.seen == [("192.0.2.7", "https"), ("192.0.2.7", "wss")]


async def test_of_a_chain_the_last_that_is_not_trusted_is_the_client() -> None:
    """What stands before it, anybody can have written."""
    app = App()
    chain = [("X-Forwarded-For", "203.0.113.1, 192.0.2.7"), ("X-Forwarded-For", "10.0.0.9")]
    await seen_by(app, "127.0.0.1,10.0.0.0/8", chain)
    assert [client for client, _ in app.seen] == ["192.0.2.7", "192.0.2.7"]


@pytest.mark.parametrize("proxies", ["proxy.example", "10.0.0.0/33", "*", "10.0.0.1/8"])
async def test_what_is_no_address_is_refused_at_the_start(proxies: str, tmp_path: Any) -> None:
    settings = load_settings(
        {"port": 0, "store": f"sqlite:///{tmp_path}/relay.db", "trusted_proxies": proxies}, None
    )
    with pytest.raises(ConfigError, match="trusted_proxies"):
        await serve(settings, pytest.fail)


def test_a_proxys_clients_do_not_share_its_sockets() -> None:
    is_proxy = is_in(parse_proxies("127.0.0.1"))
    assert is_proxy("127.0.0.1")
    assert not is_proxy("192.0.2.1")
    assert not is_proxy("unknown")
    assert TransportBounds(Sockets(1, 1, is_proxy)).sockets is not None


async def test_the_bound_of_an_address_is_that_of_the_client_behind_the_proxy(
    tmp_path: Any,
) -> None:
    options = ("--trusted-proxies", "127.0.0.1", "--connections-per-address-max", "1")
    with ServerProcess(tmp_path, *options) as server:

        def connect(client: str) -> websockets.connect:
            headers = {"X-Forwarded-For": client}
            return websockets.connect(
                server.url + "/ws/doc", proxy=None, additional_headers=headers
            )

        async with deadline(), connect("192.0.2.1") as first, connect("192.0.2.2") as second:
            await first.recv()
            await second.recv()
            async with connect("192.0.2.1") as third:
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    await third.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 4529
        # The lines of the log say who it was.
        assert server.wait_log(lambda entry: entry.get("peer", "").startswith("192.0.2.1:"))


async def test_without_trusted_proxies_the_bound_is_that_of_the_socket(tmp_path: Any) -> None:
    with ServerProcess(tmp_path, "--connections-per-address-max", "1") as server:
        url = server.url + "/ws/doc"
        async with deadline(), websockets.connect(url, proxy=None) as first:
            await first.recv()
            headers = {"X-Forwarded-For": "192.0.2.9"}
            async with websockets.connect(url, proxy=None, additional_headers=headers) as second:
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    await second.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 4529
