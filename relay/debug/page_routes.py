"""`/debug` and `/debug/page/…`: the page itself. It holds no data, so whoever asks may have it.

::

    GET /debug, /debug/         the page; what it shows is named after the # of its address
    GET /debug/page/{file}      its style, modules and icon
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_DIRECTORY: Final = Path(__file__).parent / "page"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}

# Names of documents come from strangers: should one ever be taken for HTML, nothing may come of it.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    # Asked for each time, and answered with 304: a new server never meets the page of an old one.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page as it is sent."""

    content: bytes
    media_type: str
    etag: str


def page_routes() -> list[Route]:
    """Return the routes. The files are read here, once; what is not among them is not found."""
    files = dict(_read_files())
    index = files.pop("index.html")

    async def show(request: Request) -> Response:
        return _answer(request, index)

    async def part(request: Request) -> Response:
        file = files.get(request.path_params["file"])
        if file is None:
            return PlainTextResponse("Not Found", 404)
        return _answer(request, file)

    return [
        Route("/debug", show),
        Route("/debug/", show),
        Route("/debug/page/{file:path}", part),
    ]


def _read_files() -> Iterator[tuple[str, PageFile]]:
    for path in sorted(_DIRECTORY.rglob("*")):
        if path.suffix in _MEDIA_TYPES:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            name = path.relative_to(_DIRECTORY).as_posix()
            yield name, PageFile(content, _MEDIA_TYPES[path.suffix], etag)


def _answer(request: Request, file: PageFile) -> Response:
    headers = {**_HEADERS, "ETag": file.etag}
    if file.etag in _etags(request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(file.content, 200, headers, file.media_type)


def _etags(asked: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in asked.split(",")}
