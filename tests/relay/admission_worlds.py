"""A server of each mode with its credentials of each kind, for the matrix."""

import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
from relay_process import ServerProcess
from websockets.sync.client import connect

# httpx reads all certificates of the machine for each client; nothing here speaks TLS.
WITHOUT_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

DOCUMENT = "notes/plan"
OTHER_DOCUMENT = "notes/other"
AUDIENCE = "this relay"
ISSUER = "the issuer"
HOUR_S = 3600

# Kind: user, documents, permission.
_GRANTS = {
    "document": ("ann", [OTHER_DOCUMENT], "write"),
    "read": ("ann", ["notes/*"], "read"),
    "write": ("ann", [DOCUMENT], "write"),
    "admin": ("ann", ["*"], "admin"),
    "revoked": ("ann", [DOCUMENT], "write"),
    # Behind the ticket whose session is revoked.
    "behind": ("ann", [DOCUMENT], "write"),
    "expired": ("ann", ["*"], "admin"),
    "bob": ("bob", [DOCUMENT], "write"),
}


class World:
    """Two servers of one mode, with and without admin routes, and what to show them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shown: set[str] = set()
        self.credentials = {"garbage": secrets.token_hex(16), "long": secrets.token_hex(2500)}
        self.admin_token = secrets.token_hex(16)
        options = [*self.prepare(), "--log-level", "debug"]
        admin_file = directory / "admin-token"
        admin_file.write_text(self.admin_token + "\n")
        admin_file.chmod(0o600)
        gate = ("--enable-admin-routes", "--admin-token-file", str(admin_file))
        self.credentials["observer"] = secrets.token_hex(16)
        observer_file = directory / "observer-token"
        observer_file.write_text(self.credentials["observer"] + "\n")
        observer_file.chmod(0o600)
        gate += ("--observer-token-file", str(observer_file))
        self.servers = {}
        for name, extra in (("on", gate), ("off", ())):
            (directory / name).mkdir()
            self.servers[name] = ServerProcess(directory / name, *options, *extra)
        for server in self.servers.values():
            server.wait_output()

    def prepare(self) -> list[str]:
        """Make credentials and files; return the server's options."""
        raise NotImplementedError

    def revoke(self) -> None:
        """Let the credential `revoked` be so."""
        raise NotImplementedError

    def url(self, name: str = "on") -> str:
        return self.servers[name].url.replace("ws://", "http://")

    def post(self, path: str, credential: str, name: str = "on") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {credential}"}
        response = httpx.post(
            self.url(name) + path, headers=headers, trust_env=False, verify=WITHOUT_TLS
        )
        assert response.status_code == 200, response.text
        answered: dict[str, Any] = response.json()
        self.shown.add(answered.get("ticket", self.admin_token))
        return answered

    def revoke_session(self, session_id: str) -> None:
        self.post(f"/admin/sessions/{session_id}/revoke", self.admin_token)

    def close(self) -> None:
        for server in self.servers.values():
            server.end()

    def secrets(self) -> set[str]:
        """Everything that must never be seen in an output."""
        return {*self.credentials.values(), *self.shown, self.admin_token}

    def output(self) -> str:
        return "\n".join(
            line for each in self.servers.values() for line in [*each.output, *each.log]
        )


class NoneWorld(World):
    def prepare(self) -> list[str]:
        self.credentials |= {kind: secrets.token_hex(16) for kind in (*_GRANTS, "audience")}
        return ["--auth", "none"]

    def revoke(self) -> None:
        pass


class TokenWorld(World):
    def prepare(self) -> list[str]:
        self.credentials |= {kind: secrets.token_hex(16) for kind in _GRANTS}
        self._file = self.directory / "tokens.toml"
        self._write(_GRANTS)
        return ["--auth", "token", "--token-file", str(self._file)]

    def _write(self, kinds: Mapping[str, Any]) -> None:
        text = ""
        for kind in kinds:
            user, documents, permission = _GRANTS[kind]
            token_hash = hashlib.sha256(self.credentials[kind].encode()).hexdigest()
            text += f'[[tokens]]\nuser = "{user}"\ntoken_sha256 = "{token_hash}"\n'
            text += f'documents = {json.dumps(documents)}\npermission = "{permission}"\n'
            if kind == "expired":
                text += "expires = 2020-01-01T00:00:00Z\n"
        self._file.write_text(text)

    def revoke(self) -> None:
        self._write({kind: grant for kind, grant in _GRANTS.items() if kind != "revoked"})
        for server in self.servers.values():
            server.wait_log(lambda entry: entry["event"] == "file read again")


class JwtWorld(World):
    def prepare(self) -> list[str]:
        secret = secrets.token_hex(32)
        key_file = self.directory / "key"
        key_file.write_text(secret)
        for kind, (user, documents, permission) in _GRANTS.items():
            claims = {
                "sub": user,
                "documents": documents,
                "permission": permission,
                "aud": AUDIENCE,
                "iss": ISSUER,
                "exp": time.time() + (-HOUR_S if kind == "expired" else HOUR_S),
                "jti": kind,
            }
            self.credentials[kind] = jwt.encode(claims, secret, "HS256")
        claims |= {"aud": "another relay"}
        self.credentials["audience"] = jwt.encode(claims, secret, "HS256")
        self.shown.add(secret)
        rules = ("--jwt-audience", AUDIENCE, "--jwt-issuer", ISSUER)
        return ["--auth", "jwt", "--jwt-key-file", str(key_file), *rules]

    def revoke(self) -> None:
        # Nobody can take a signed token back: its session is revoked, and the token bars itself.
        self.revoke_session(self.session_of("revoked"))

    def session_of(self, kind: str) -> str:
        """Log in by a websocket; return the session of that."""
        url = f"{self.servers['on'].url}/{DOCUMENT}?token={self.credentials[kind]}"
        with connect(url, proxy=None) as socket:
            socket.recv()
            headers = {"Authorization": f"Bearer {self.admin_token}"}
            response = httpx.get(
                self.url() + "/admin/sessions", headers=headers, trust_env=False, verify=WITHOUT_TLS
            )
            (session,) = response.json()["sessions"]
            return str(session["session"])


class HookWorld(World):
    def prepare(self) -> list[str]:
        self.credentials |= {kind: secrets.token_hex(16) for kind in _GRANTS}
        kinds = {token: kind for kind, token in self.credentials.items() if kind in _GRANTS}
        kinds.pop(self.credentials["expired"])
        self._kinds = kinds

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                asked = json.loads(self.rfile.read(length))
                status, answer = _decide(kinds.get(asked["credential"]), asked["document"])
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self._thread = threading.Thread(target=self._hook.serve_forever)
        self._thread.start()
        url = f"http://127.0.0.1:{self._hook.server_port}/decide"
        return ["--auth", "hook", "--hook", url]

    def revoke(self) -> None:
        del self._kinds[self.credentials["revoked"]]

    def close(self) -> None:
        super().close()
        self._hook.shutdown()
        self._thread.join()
        self._hook.server_close()


def _decide(kind: str | None, document: str | None) -> tuple[int, dict[str, Any]]:
    if kind is None:
        return 401, {}
    user, documents, permission = _GRANTS[kind]
    covers = "*" in documents or document in documents
    if not covers and not (document is not None and "notes/*" in documents):
        return 403, {}
    return 200, {"user": user, "permission": permission, "ttl_s": 600}


WORLDS = {"none": NoneWorld, "token": TokenWorld, "jwt": JwtWorld, "hook": HookWorld}
