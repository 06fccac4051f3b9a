"""`yjs-relay health`, which containers ask."""

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from relay_process import ServerProcess, run


def test_a_server_that_is_ready_is_said_to_be(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        for url in (server.url, server.url.replace("ws://", "http://") + "/"):
            done = run("health", "--url", url, cwd=tmp_path)
            assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
        extra = {"YJS_RELAY_HOST": "0.0.0.0", "YJS_RELAY_PORT": str(server.port)}
        done = run("health", "--json", cwd=tmp_path, extra=extra)
        assert (done.returncode, json.loads(done.stdout)) == (0, {"status": "ready"})


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"status": "starting"}, "starting\n"),
        ({"status": "storage failing", "because": ["a", "b"]}, "storage failing: a, b\n"),
    ],
)
def test_a_server_that_is_not_ready_gives_1(
    tmp_path: Path, said: dict[str, object], line: str
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        done = run("health", "--url", url, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")


def test_a_server_that_is_not_there_gives_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = run("health", "--url", f"ws://127.0.0.1:{port}", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith(f"Error: cannot reach http://127.0.0.1:{port}: ")


def test_what_is_no_relay_gives_3_and_acts_on_no_terminal(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\x1b[31m!")
            connection.close()

        Thread(target=answer).start()
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        done = run("health", "--url", url, cwd=tmp_path)
    assert done.returncode == 3
    assert "is no yjs-relay" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:1234", "ftp://x", "http://", "http://[", "http://x?y"])
def test_what_is_no_url_gives_2(tmp_path: Path, url: str) -> None:
    done = run("health", "--url", url, cwd=tmp_path)
    assert done.returncode == 2
    assert "--url" in done.stderr
