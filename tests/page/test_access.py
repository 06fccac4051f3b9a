"""Who may look, and that everybody can: token, keyboard, screen readers, phones, light and dark."""

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from .conftest import Looking
from .world import failing, session

pytestmark = pytest.mark.asyncio(loop_scope="session")

HERE = Path(__file__).parent
TOKEN = "observer-token-observer-token-1234"


# ---- the token -----------------------------------------------------------------------------


async def test_a_token_is_asked_for_and_stays_in_the_tab(looking: Looking) -> None:
    looking.world.token = TOKEN
    asked: list[str] = []
    page = looking.page
    page.on("request", lambda request: asked.append(request.url))
    await looking.go("#/documents?trouble=1")
    field = page.get_by_label("Token of an administrator or an observer")
    await expect(field).to_be_focused()
    await expect(page.locator("nav")).to_have_count(0)
    await field.fill("wrong")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("The server says: the token is not valid.")
    await field.fill("no\u200btoken")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("This cannot be a token.")
    await field.fill(f" {TOKEN} ")
    await field.press("Enter")
    await expect(page.locator(".documents tbody tr").first).to_be_visible()
    await looking.follow()
    assert not [url for url in asked if TOKEN in url]
    kept = "JSON.stringify([sessionStorage, localStorage, document.cookie])"
    assert await page.evaluate(kept) == f'[{{"yjs-relay-token":"{TOKEN}"}},{{}},""]'
    await page.reload()
    await expect(page.locator(".documents tbody tr").first).to_be_visible()
    await page.get_by_role("button", name="Forget token").click()
    await expect(field).to_be_visible()
    assert await page.evaluate(kept) == '[{},{},""]'


async def test_a_token_that_has_ended_is_asked_for_again(looking: Looking) -> None:
    looking.world.token = TOKEN
    await looking.go()
    page = looking.page
    await page.get_by_label("Token of an administrator").fill(TOKEN)
    await page.get_by_role("button", name="Look").click()
    await looking.follow()
    looking.world.token = "another"
    await page.get_by_role("link", name="Documents", exact=True).click()
    await expect(page.get_by_label("Token of an administrator")).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("notes/")


async def test_a_browser_that_blocks_site_data_keeps_the_token_for_the_page(
    looking: Looking,
) -> None:
    looking.world.token = TOKEN
    page = looking.page
    for storage in ("sessionStorage", "localStorage"):
        await page.add_init_script(
            f"Object.defineProperty(window, {storage!r}, {{ get() {{"
            " throw new DOMException('site data is blocked', 'SecurityError') } })"
        )
    await looking.go("#/documents")
    await page.get_by_label("Token of an administrator").fill(TOKEN)
    await page.get_by_role("button", name="Look").click()
    await expect(page.locator(".documents tbody tr").first).to_be_visible()
    await looking.follow()
    await page.get_by_role("button", name="Forget token").click()
    await expect(page.get_by_label("Token of an administrator")).to_be_visible()


async def look_with_token(looking: Looking) -> None:
    looking.world.token = TOKEN
    await looking.go()
    await looking.page.get_by_label("Token of an administrator").fill(TOKEN)
    await looking.page.get_by_role("button", name="Look").click()
    await looking.follow()


async def test_a_token_is_kept_while_nobody_decides_what_it_is_worth(looking: Looking) -> None:
    await look_with_token(looking)
    page = looking.page
    undecided = page.locator(".because", has_text="until it is decided whether you may look")
    looking.served.say("undecided", {"message": "nobody answers"})
    await expect(undecided).to_contain_text("nobody answers.")
    await expect(page.locator("#announcer")).to_have_text("Nobody decides whether you may look.")
    await expect(page.get_by_role("button", name="Forget token")).to_be_visible()
    looking.served.tick()
    await expect(undecided).to_have_count(0)
    looking.served.is_undecided = True
    await page.reload()  # it is asked for anew who looks
    await expect(undecided).to_contain_text("nobody answers.")
    await expect(page.locator("#token")).to_have_count(0)
    looking.served.is_undecided = False
    await expect(page.locator("h1")).to_have_text("All is well.")
    await expect(undecided).to_have_count(0)
    await expect(page.get_by_role("button", name="Forget token")).to_be_visible()


async def test_without_a_stream_it_is_said_that_nobody_decides(looking: Looking) -> None:
    looking.world.has_stream = False
    await looking.go()
    await expect(looking.page.locator(".pulse")).to_have_text("polling")
    looking.served.is_undecided = True
    undecided = looking.page.locator(".because")
    await expect(undecided).to_contain_text("nobody answers.")
    looking.served.is_undecided = False
    await expect(undecided).to_have_count(0, timeout=20_000)


# ---- keyboard and screen readers --------------------------------------------------------------


async def test_the_first_tab_skips_to_the_content(looking: Looking) -> None:
    await looking.go()
    page = looking.page
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    await expect(page.get_by_text("Skip to the content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    assert page.url.endswith("#/")


async def test_going_on_moves_the_focus_to_the_new_heading(looking: Looking) -> None:
    await looking.go()
    page = looking.page
    await page.get_by_role("link", name="Documents", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Documents")).to_be_focused()
    await expect(page.get_by_role("link", name="Documents", exact=True)).to_have_attribute(
        "aria-current", "page"
    )


async def test_whatever_has_the_focus_is_seen_to_have_it(looking: Looking) -> None:
    await looking.go()
    page = looking.page
    await expect(page.get_by_role("button", name="Vacuum…")).to_be_visible()
    seen = []
    for _ in range(30):
        await page.keyboard.press("Tab")
        found = await page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.tagName, s.outlineStyle, parseFloat(s.outlineWidth)] })()"
        )
        if found[0] == "BODY":
            break
        seen.append(found)
    assert {"A", "BUTTON", "SUMMARY"} <= {tag for tag, _, _ in seen}
    assert all(style == "solid" and width >= 2 for _, style, width in seen), seen


PLACES = ["#/", "#/documents", "document", "login", "#/nowhere"]


async def show(looking: Looking, place: str) -> Page:
    """Go to one of the places, with all that can be wrong."""
    looking.world.storage = failing(looking.world.storage)
    if place == "login":
        looking.world.token = TOKEN
    if place == "document":
        bad = next(each.name for each in looking.world.listed if each.health == "degraded")
        looking.world.sessions = [session(bad, number) for number in range(1, 4)]
        place = f"#/documents/{quote(bad, safe='')}"
    await looking.go("" if place == "login" else place)
    page = looking.page
    wait_for = {"#/": ".gauge", "#/documents": "tbody tr", "login": "#token", "#/nowhere": "h1"}
    await page.wait_for_selector(wait_for.get(place, ".strip"))
    if place.startswith("#/documents/"):
        await page.wait_for_selector("text=Save bytes")
        await page.wait_for_selector("text=Revoke")
    return page


@pytest.mark.parametrize("place", PLACES)
async def test_everything_has_a_name_and_a_place(looking: Looking, place: str) -> None:
    looking.world.change(
        next(each.name for each in looking.world.listed if each.health == "degraded"),
        quarantined=2,
    )
    page = await show(looking, place)
    assert await page.evaluate((HERE / "accessible.js").read_text()) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_can_be_read(looking: Looking, scheme: str) -> None:
    await looking.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for place in PLACES:
        looking.world.token = None
        page = await show(looking, place)
        assert await page.evaluate((HERE / "contrast.js").read_text()) == [], place
        await page.goto("about:blank")


@pytest.mark.parametrize("width", [320, 390, 820])
async def test_nothing_is_wider_than_the_screen(looking: Looking, width: int) -> None:
    await looking.page.set_viewport_size({"width": width, "height": 800})
    for place in PLACES:
        looking.world.token = None
        page = await show(looking, place)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, place
        await page.goto("about:blank")


# ---- light and dark, and motion ----------------------------------------------------------------

_PAPER = "getComputedStyle(document.body).backgroundColor"


async def test_the_page_is_light_or_dark_as_one_likes(looking: Looking) -> None:
    page = looking.page
    await page.emulate_media(color_scheme="dark")
    await looking.go()
    dark = await page.evaluate(_PAPER)
    await page.get_by_role("button", name="Colours: system").click()
    light = await page.evaluate(_PAPER)
    assert light != dark
    await page.reload()
    await expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert await page.evaluate(_PAPER) == light
    await page.get_by_role("button", name="Colours: light").click()
    assert await page.evaluate(_PAPER) == dark
    await page.get_by_role("button", name="Colours: dark").click()
    await page.emulate_media(color_scheme="light")
    assert await page.evaluate(_PAPER) == light


async def test_who_wants_no_motion_gets_none(looking: Looking) -> None:
    await looking.go()
    await looking.follow()
    name = "getComputedStyle(document.querySelector('.pulse i')).animationName"
    assert await looking.page.evaluate(name) == "beat"
    await looking.page.emulate_media(reduced_motion="reduce")
    assert await looking.page.evaluate(name) == "none"


async def test_who_may_look_without_a_token_may_use_one_to_act(looking: Looking) -> None:
    looking.world.token = TOKEN
    looking.world.is_open = True
    await looking.go()
    page = looking.page
    acts = page.get_by_role("heading", name="Act on the store")
    await looking.follow()
    await expect(acts).to_have_count(0)
    await page.get_by_role("button", name="Use a token").click()
    await page.get_by_role("button", name="Look without a token").click()
    await looking.follow()
    await page.get_by_role("button", name="Use a token").click()
    await page.get_by_label("Token of an administrator").fill(TOKEN)
    await page.get_by_label("Token of an administrator").press("Enter")
    await expect(acts).to_be_visible()
    await expect(page.get_by_role("button", name="Forget token")).to_be_visible()
