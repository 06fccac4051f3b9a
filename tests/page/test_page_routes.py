"""The routes that hand out the page."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from relay.debug import page_routes as module
from relay.debug.page_routes import page_routes

DIRECTORY = Path(module.__file__).parent / "page"
FILES = sorted(path.relative_to(DIRECTORY).as_posix() for path in DIRECTORY.rglob("*.*"))
PARTS = [name for name in FILES if name != "index.html"]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=page_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
        yield client


@pytest.mark.parametrize("path", ["/debug", "/debug/", *(f"/debug/page/{each}" for each in PARTS)])
async def test_every_file_comes_with_its_type_and_the_policy(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    suffix = Path(path).suffix or ".html"
    kind = {".html": "text/html", ".css": "text/css", ".svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kind.get(suffix, "text/javascript"))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(
        each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


async def test_what_one_has_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/debug")
    for asked in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
        again = await client.get("/debug", headers={"If-None-Match": asked})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "content-security-policy" in again.headers
    other = await client.get("/debug", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_a_head_has_no_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/debug")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == (DIRECTORY / "index.html").stat().st_size


@pytest.mark.parametrize(
    "path",
    [
        "/debug/page/",
        "/debug/page/index.html",
        "/debug/page/nothing.mjs",
        "/debug/page/..%2Fmodels.py",
        "/debug/page/%2e%2e/models.py",
        "/debug/page//etc/passwd",
        "/debug/page/pure",
    ],
)
async def test_what_is_not_of_the_page_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_the_page_is_only_read(client: httpx.AsyncClient, method: str) -> None:
    assert (await client.request(method, "/debug")).status_code == 405


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_another_host(name: str) -> None:
    text = (DIRECTORY / name).read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"(url\(|@import|=\s*[\"']//)", text)


@pytest.mark.parametrize("name", [each for each in FILES if each.endswith(".mjs")])
def test_every_module_that_is_imported_is_there(name: str) -> None:
    path = DIRECTORY / name
    for asked in re.findall(r'from "([^"]+)"', path.read_text(encoding="utf-8")):
        assert asked.startswith("."), asked
        assert (path.parent / asked).resolve().is_file(), asked


@pytest.mark.parametrize("name", [each for each in FILES if each.endswith(".mjs")])
def test_everything_that_is_imported_is_used(name: str) -> None:
    text = (DIRECTORY / name).read_text(encoding="utf-8")
    imports = re.compile(r"import \{([^}]*)\}")
    rest = imports.sub("", text)
    listed = (each for found in imports.findall(text) for each in found.split(","))
    imported = [each.split(" as ")[-1].strip() for each in listed]
    assert not [each for each in imported if each and not re.search(rf"\b{each}\b", rest)]


def test_pure_modules_know_no_page() -> None:
    for path in (DIRECTORY / "pure").iterdir():
        text = re.sub(r"//.*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"\b(window|globalThis|fetch|Date\.now|localStorage)\b", text), path


def test_the_page_has_nothing_inline() -> None:
    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names = {name for name, _ in attrs}
            assert not {name for name in names if name.startswith("on")} | names & {"style"}
            assert tag != "style"
            assert tag != "script" or "src" in names

    Reader().feed((DIRECTORY / "index.html").read_text(encoding="utf-8"))
