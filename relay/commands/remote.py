"""Asks a running server over HTTP, for the commands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import click
import httpx

from relay.exit_codes import ExitCode
from relay.store_options import Unreadable
from relay.terminal import printable

# To connect, and between two pieces of an answer: folding a large document takes a while.
_TIMEOUT: Final = httpx.Timeout(10.0, read=330.0)
# What fails before anything of a request has left this computer.
_UNSENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    ValueError,
)
_SCHEMES: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


class Unreachable(Unreadable):
    """Ends a command whose server does not answer, or answers what is no answer of one."""


class Refused(click.ClickException):
    """Ends a command that the server has answered with no.

    ``word`` is its word for programs, empty when the answer is none of a relay's routes.
    """

    exit_code = ExitCode.NO

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


class Server:
    """A running server by its URL. Redirects and proxies of the environment are not followed."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        verify: bool = True,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> None:
        """Raise UsageError when the URL is none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.url = base_url(url)
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=timeout,
            trust_env=False,
            verify=verify,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **asked: str | int | None) -> dict[str, Any]:
        """Return the answer to a question; ``asked`` without what is None.

        Raises:
            Unreachable, Refused: there is none.
        """
        return self._ask("GET", path, asked)

    def post(self, path: str, **asked: str | int | None) -> dict[str, Any]:
        """Have something done; return what came of it.

        Raises:
            Unreachable: there is no answer. Unless nothing was sent, or ``dry_run`` was asked for,
                it may have been done all the same; the message says so.
            Refused: as ``get``.
        """
        return self._ask("POST", path, asked)

    def get_bytes(self, path: str) -> bytes:
        """Return what a path holds, as it is.

        Raises:
            Unreachable, Refused: as ``get``.
        """
        response = self._send("GET", path, {})
        if response.is_success:
            return response.content
        raise _no(response, self.url, path)

    def status(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the answer, also where it is a no.

        Raises:
            Unreachable: there is none.
        """
        response = self._send("GET", path, {})
        return response.status_code, self._content(response)

    def _ask(self, method: str, path: str, asked: Mapping[str, str | int | None]) -> dict[str, Any]:
        response = self._send(method, path, asked)
        if response.is_success:
            return self._content(response)
        refusal = _no(response, self.url, path)
        # Without a word of a relay's, it is of a proxy that may have asked one, or of a defect.
        if response.status_code >= 500 and not refusal.word and _may_act(method, asked):
            raise _unknown(refusal.message)
        raise refusal

    def _send(
        self, method: str, path: str, asked: Mapping[str, str | int | None]
    ) -> httpx.Response:
        given = {name: value for name, value in asked.items() if value is not None}
        try:
            return self._client.request(method, path, params=given)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            why = printable(str(error)) or type(error).__name__
            if _may_act(method, asked) and not isinstance(error, _UNSENT):
                raise _unknown(f"{printable(self.url)} gave no answer: {why}") from error
            raise Unreachable(f"cannot reach {printable(self.url)}: {why}") from error

    def _content(self, response: httpx.Response) -> dict[str, Any]:
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise Unreachable(f"{printable(self.url)} is no yjs-relay: it answers with no JSON")
        return content


def _may_act(method: str, asked: Mapping[str, str | int | None]) -> bool:
    return method == "POST" and not asked.get("dry_run")


def _unknown(why: str) -> Unreachable:
    return Unreachable(f"{why}; it is not known whether it was done: look at the audit")


def base_url(url: str) -> str:
    """Return the URL for HTTP, given that or the one for websockets.

    Raises:
        UsageError: it is neither.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme in _SCHEMES and parts.hostname and not (parts.query or parts.fragment):
            return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"
    except ValueError:
        pass
    raise click.UsageError(f"--url {printable(url)!r} is none: write http://127.0.0.1:1234")


def websocket_url(url: str) -> str:
    """Return the URL where editors come, given either.

    Raises:
        UsageError: as ``base_url``.
    """
    return f"ws{base_url(url).removeprefix('http')}"


def segment(name: str) -> str:
    """Return a document's name as one segment of a path."""
    encoded = quote(name, safe="")
    # A segment of dots alone would be taken for a step up by whoever tidies the path.
    return encoded.replace(".", "%2E") if set(encoded) == {"."} else encoded


def read_token(file: Path | None) -> str | None:
    """Return the token that a file holds alone."""
    return None if file is None else file.read_text(encoding="utf-8").strip()


def _no(response: httpx.Response, url: str, path: str) -> Refused:
    try:
        said = response.json()
        return Refused(printable(str(said["message"])), str(said["error"]))
    except (ValueError, KeyError, TypeError):
        pass
    if response.status_code == 404 and path.startswith("/admin/"):
        what = "has no admin routes: start it with --enable-admin-routes"
    else:
        what = f"answered {response.status_code} to {printable(path)}"
    return Refused(f"{printable(url)} {what}", "")
