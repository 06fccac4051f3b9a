"""The page over a real server with a real store: it shows what is there, moves and acts."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from system.peers import Peer
from system.server import RunningServer

from .conftest import fresh_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "admin-token-admin-token-admin-token"
NAME = "notes/today"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with admin routes, and nothing in its store."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    server = RunningServer(tmp_path, "--enable-admin-routes", "--admin-token-file", str(file))
    await server.start()
    yield server
    if server.is_running:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, server: RunningServer) -> AsyncIterator[Page]:
    async with fresh_page(browser, f"http://127.0.0.1:{server.port}") as page:
        yield page


async def go(page: Page, server: RunningServer, place: str) -> None:
    await page.goto(f"http://127.0.0.1:{server.port}/debug{place}")
    await page.wait_for_selector(".pulse[data-how=live]")


async def use_token(page: Page) -> None:
    await page.get_by_role("button", name="Use a token").click()
    field = page.get_by_label("Token of an administrator")
    await field.fill(TOKEN)
    await field.press("Enter")
    await expect(page.get_by_role("button", name="Forget token")).to_be_visible()


async def test_it_shows_follows_and_acts(server: RunningServer, page: Page) -> None:
    await go(page, server, "#/")
    await expect(page.locator("h1")).to_have_text("All is well.")
    await expect(page.locator(".lede")).to_contain_text("0 documents on this disk")
    async with Peer.join(server.url, NAME) as peer:
        await peer.wait_confirmed(await peer.insert(0, "a"))
        await expect(page.locator(".lede")).to_have_text(
            "1 document on this disk, 1 of them in memory."
            " 1 connection is open in 1 room, with 1 active session."
        )
        await page.get_by_role("link", name="Documents", exact=True).click()
        await page.get_by_role("link", name=NAME).click()
        await expect(page.locator("h1")).to_have_text(NAME)
        await expect(page.locator("main")).to_contain_text("in 1 row")
        # Nothing is offered to who has shown no token.
        await expect(page.get_by_role("button", name="Compact")).to_have_count(0)
        await peer.insert(1, "b")
        await expect(page.locator("main")).to_contain_text("in 2 rows")
    await use_token(page)
    await page.get_by_role("button", name="Compact").click()
    dialog = page.get_by_role("dialog", name="Fold the journal into a snapshot")
    await expect(dialog).to_contain_text(f"This would compact {NAME}.")
    await expect(page.locator("main")).to_contain_text("in 2 rows")
    await dialog.get_by_role("button", name="Compact").click()
    await expect(dialog).to_contain_text("Fold the journal into a snapshot: compacted.")
    await expect(dialog).to_contain_text("journal rows after0")
    await page.keyboard.press("Escape")
    await expect(page.locator("main")).to_contain_text("in 0 rows")


async def test_deleting_closes_who_has_it_open_and_stays_so(
    server: RunningServer, page: Page
) -> None:
    """P9."""
    name = "notes/\u202egpj <b>?#%41"
    path = f"/ws/{quote(name, safe='/')}"
    async with Peer.join(server.url, name, path=path) as peer:
        await peer.wait_confirmed(await peer.insert(0, "a"))
        await go(page, server, f"#/documents/{quote(name, safe='')}")
        await use_token(page)
        await page.get_by_role("button", name="Delete…").click()
        preview = page.locator(".preview")
        await expect(preview).to_contain_text("connections1")
        # As the page writes it.
        field = page.get_by_label("Type the name, to be sure")
        await field.fill("notes/\u2039U+202E\u203agpj <b>?#%41")
        await field.press("Enter")
        await expect(preview).to_contain_text("Delete it: deleted.")
        await peer.until(lambda: peer.closed is not None, "its client is closed")
        assert peer.closed is not None
        assert 4400 <= peer.closed[0] < 4500
        await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Forget…")).to_be_visible()
    await expect(page.get_by_role("button", name="Delete…")).to_have_count(0)


async def test_refused_bytes_are_shown_to_who_comes_to_be_allowed(
    server: RunningServer, page: Page
) -> None:
    refused = b"\x01\x01refused"
    async with Peer.join(server.url, NAME) as peer:
        await peer.wait_confirmed(await peer.insert(0, "a"))
        await peer.send_update(refused)
        await peer.until(lambda: peer.closed is not None, "its sender is told")
    await go(page, server, f"#/documents/{quote(NAME, safe='')}")
    await expect(page.locator("h1")).to_have_text(NAME)
    table = page.get_by_role("region", name="1 refused update kept")
    await expect(table).to_have_count(0)
    await use_token(page)
    await expect(table).to_contain_text("it ends early")
    async with page.expect_download() as downloading:
        await table.get_by_role("button", name="Save bytes").click()
    download = await downloading.value
    assert (await download.path()).read_bytes() == refused
    preview = page.locator(".preview")
    await table.get_by_role("button", name="Release…").click()
    await page.get_by_role("button", name="Release", exact=True).click()
    await expect(preview).to_contain_text("It was refused: ")
    await page.get_by_role("button", name="Close").click()
    await table.get_by_role("button", name="Discard…").click()
    await expect(preview).to_contain_text(f"byte length{len(refused)} B")
    await page.get_by_role("button", name="Discard", exact=True).click()
    await expect(preview).to_contain_text("Discard a refused update: discarded.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name="Quarantine")).to_have_count(0)


async def test_revoking_a_session_closes_what_it_has_open(
    server: RunningServer, page: Page
) -> None:
    async with Peer.join(server.url, NAME) as peer:
        await peer.wait_confirmed(await peer.insert(0, "a"))
        await go(page, server, f"#/documents/{quote(NAME, safe='')}")
        await use_token(page)
        await page.get_by_role("button", name="Revoke…").click()
        dialog = page.get_by_role("dialog", name="End a session")
        await expect(dialog).to_contain_text("This would revoke the session of anonymous.")
        assert peer.closed is None
        await dialog.get_by_role("button", name="Revoke", exact=True).click()
        await expect(dialog).to_contain_text("End a session: revoked.")
        await peer.until(lambda: peer.closed is not None, "its client is closed")
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("Nobody is admitted to it.")).to_be_visible()
