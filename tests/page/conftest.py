"""A browser for all tests of the page, and for each a world, a server and a fresh context."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from leaving_out import leave_out
from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright

from .serving import Serving, serving
from .world import World, make_world

CHROMIUM = "YJS_RELAY_CHROMIUM"
_CALLED = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    candidates = (os.environ.get(CHROMIUM), *map(shutil.which, _CALLED))
    return next((each for each in candidates if each), None)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    if path is None:
        leave_out(f"left out the tests of the page: no Chromium here ({CHROMIUM} may name one)")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        yield chromium
        await chromium.close()


@pytest.fixture
def world() -> World:
    return make_world()


# asyncio.Runner.run makes the repr of the last task and of its result, and drops it, since
# signal.getsignal asks whether a handler is an enum's value: seconds, of ten thousand documents.
@dataclass(repr=False)
class Looking:
    """Somebody who looks at the page."""

    page: Page
    served: Serving
    world: World

    async def go(self, place: str = "#/") -> None:
        """Go to a place of the page, as one does who has its address."""
        await self.page.goto(f"{self.served.url}/debug{place}")
        await self.page.wait_for_selector("h1")

    async def follow(self) -> None:
        """Wait until the page follows the stream, so that no tick is missed."""
        await self.page.wait_for_selector(".pulse[data-how=live]")


@pytest_asyncio.fixture(loop_scope="session")
async def looking(browser: Browser, world: World) -> AsyncIterator[Looking]:
    """A page over a made-up world."""
    async with serving(world) as served, fresh_page(browser, served.url) as page:
        yield Looking(page, served, world)


@asynccontextmanager
async def fresh_page(browser: Browser, url: str) -> AsyncIterator[Page]:
    """A page in a context of its own. What it complains of fails the test, and so does the net."""
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.extend(_complaints(message)))
    page.on("pageerror", lambda error: complaints.append(_said(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(f"{url}/")
            else complaints.append(f"asked elsewhere: {request.url}")
        ),
    )
    yield page
    await context.close()
    assert not complaints


def _complaints(message: ConsoleMessage) -> list[str]:
    # Chromium notes every answer above 399; what the page makes of them is tested.
    is_answer = message.text.startswith("Failed to load resource")
    return [] if is_answer or message.type not in ("error", "warning") else [message.text]


def _said(error: Error) -> str:
    return f"{error.message}\n{error.stack}"
