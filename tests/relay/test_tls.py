"""TLS of the server's own."""

import asyncio
import ssl
from asyncio.constants import SSL_HANDSHAKE_TIMEOUT as TLS_HANDSHAKE_OF_THE_LOOP_S
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from certificates import write_certificate
from listening import Raw, listening
from relay_process import ServerProcess
from relay_support import deadline, text_update

from relay.config import load_settings
from relay.errors import ConfigError
from relay.server import serve
from relay.tls import make_tls_context
from relay.transport_bounds import TransportBounds
from relay.wire import y_websocket as wire


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write_certificate(tmp_path)


@pytest.fixture
def server(tmp_path: Path, files: tuple[Path, Path]) -> Iterator[ServerProcess]:
    certificate, key = map(str, files)
    with ServerProcess(tmp_path, "--tls-certificate", certificate, "--tls-key", key) as server:
        yield server


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def test_a_client_edits_over_tls(server: ServerProcess, files: tuple[Path, Path]) -> None:
    assert server.url.startswith("wss://127.0.0.1:")
    update = text_update("secret")
    async with (
        deadline(),
        websockets.connect(server.url + "/ws/doc", ssl=trusting(files[0]), proxy=None) as socket,
    ):
        assert await socket.recv() == wire.encode_sync_step_1(b"\x00")
        await socket.send(wire.encode_update(update))
        assert await socket.recv() == wire.encode_update(update)


async def test_health_over_tls_asks_for_tls_from_then_on(
    server: ServerProcess, files: tuple[Path, Path]
) -> None:
    async with httpx.AsyncClient(verify=trusting(files[0])) as client:
        answer = await client.get(server.url.replace("wss:", "https:") + "/health/live")
    assert answer.json() == {"status": "live"}
    assert "strict-transport-security" in answer.headers
    assert "server" not in answer.headers


async def test_a_client_without_tls_gets_nothing(server: ServerProcess) -> None:
    with pytest.raises((OSError, websockets.InvalidMessage)):
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/ws/doc", proxy=None):
            pass


# The first bytes of a ClientHello of 512 bytes, of which no more comes.
HALF_A_HANDSHAKE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


async def nothing_to_serve(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody asks for anything")


async def test_half_a_handshake_has_the_time_of_a_request(files: tuple[Path, Path]) -> None:
    bounds = TransportBounds(request_s=0.05)
    async with (
        listening(nothing_to_serve, bounds, tls=make_tls_context(*files)) as server,
        Raw.open(server.port) as raw,
    ):
        await raw.send(HALF_A_HANDSHAKE)
        async with asyncio.timeout(TLS_HANDSHAKE_OF_THE_LOOP_S / 4):
            assert await raw.rest() == b""


def test_tls_older_than_1_2_is_not_spoken(files: tuple[Path, Path]) -> None:
    assert make_tls_context(*files).minimum_version >= ssl.TLSVersion.TLSv1_2


def test_files_that_are_not_there_are_named(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"tls_certificate: cannot read .*nowhere"):
        make_tls_context(tmp_path / "nowhere", files[1])
    with pytest.raises(ConfigError, match=r"tls_key: cannot read .*nowhere"):
        make_tls_context(files[0], tmp_path / "nowhere")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, files: tuple[Path, Path]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigError, match="key"):
        make_tls_context(files[0], write_certificate(other)[1])


def test_what_is_no_certificate_is_refused(tmp_path: Path, files: tuple[Path, Path]) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(ConfigError, match="no PEM certificate"):
        make_tls_context(nonsense, files[1])


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the key is encrypted"):
        make_tls_context(*write_certificate(tmp_path, password=b"word"))


@pytest.mark.parametrize("given", ["tls_certificate", "tls_key"])
async def test_one_without_the_other_is_refused_before_anything_is_opened(
    tmp_path: Path, files: tuple[Path, Path], given: str
) -> None:
    settings = load_settings(
        {"port": 0, "store": f"sqlite:///{tmp_path}/relay.db", given: files[0]}, None
    )
    with pytest.raises(ConfigError, match="without the other"):
        await serve(settings, pytest.fail)
    assert not (tmp_path / "relay.db").exists()
