"""Acting from the page: what is offered, shown beforehand, asked, done and told."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import pytest
from playwright.async_api import Page, Route, expect

from .conftest import Looking
from .world import NOW_MS, session

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNKNOWN = "It is not known whether it was done: look at the audit."


@pytest.fixture
def name(looking: Looking) -> str:
    ordinary = (each for each in looking.world.listed if each.name.startswith("wiki/"))
    return next(each.name for each in ordinary if not each.is_live)


async def open_document(looking: Looking, name: str) -> Page:
    await looking.go(f"#/documents/{quote(name, safe='')}")
    await expect(looking.page.locator(".strip")).to_be_visible()
    return looking.page


async def test_nothing_is_offered_to_who_may_only_look(looking: Looking, name: str) -> None:
    looking.world.may_act = False
    looking.world.change(name, quarantined=3)
    looking.world.sessions = [session(name, 1)]
    page = await open_document(looking, name)
    await expect(page.get_by_role("heading", name="Act on it")).to_have_count(0)
    for heading in ("Sessions", "Quarantine"):
        await expect(page.get_by_role("heading", name=heading)).to_have_count(0)
    await expect(page.get_by_role("button", name="Delete…")).to_have_count(0)
    await looking.go()
    await expect(page.get_by_role("heading", name="Act on the store")).to_have_count(0)
    assert not [path for path in looking.world.asked if path.startswith("/admin")]


async def test_an_act_is_shown_before_it_is_done_and_told_after(
    looking: Looking, name: str
) -> None:
    page = await open_document(looking, name)
    await page.get_by_role("button", name="Compact").click()
    dialog = page.get_by_role("dialog", name="Fold the journal into a snapshot")
    await expect(dialog).to_contain_text(f"This would compact {name}.")
    await expect(dialog.locator(".preview")).to_contain_text("journal bytes44.5 KiB")
    assert looking.world.done == []
    await dialog.get_by_role("button", name="Compact").click()
    await expect(dialog).to_contain_text("Fold the journal into a snapshot: compacted.")
    await expect(dialog).to_contain_text("journal rows after0")
    assert looking.world.done == [(f"/admin/documents/{name}/compact", {})]
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Compact")).to_be_focused()


@pytest.mark.parametrize(
    "leave",
    [
        lambda page: page.keyboard.press("Escape"),
        lambda page: page.get_by_role("button", name="Cancel").click(),
    ],
    ids=["escape", "cancel"],
)
async def test_who_leaves_the_dialog_has_done_nothing(
    looking: Looking, name: str, leave: Callable[[Page], Awaitable[None]]
) -> None:
    page = await open_document(looking, name)
    await page.get_by_role("button", name="Compact").click()
    await expect(page.locator(".preview")).to_be_visible()
    await leave(page)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Compact")).to_be_focused()
    assert looking.world.done == []


async def test_what_would_change_nothing_cannot_be_confirmed(looking: Looking, name: str) -> None:
    page = await open_document(looking, name)
    await page.get_by_role("button", name="Load").click()
    await expect(page.locator(".preview")).to_contain_text("There is nothing to do")
    await expect(page.locator("#act-confirm")).to_have_count(0)
    await page.get_by_role("button", name="Close").click()
    assert looking.world.done == []


async def test_deleting_needs_the_name_typed(looking: Looking) -> None:
    name = "notes/\u202egpj.exe"
    page = await open_document(looking, name)
    await page.get_by_role("button", name="Delete…").click()
    confirm = page.get_by_role("button", name="Delete", exact=True)
    field = page.get_by_label("Type the name, to be sure")
    await expect(field).to_be_focused()
    await expect(confirm).to_be_disabled()
    await field.fill("notes/gpj.exe")
    await expect(confirm).to_be_disabled()
    await field.press("Enter")
    assert looking.world.done == []
    shown = "notes/\u2039U+202E\u203agpj.exe"  # as the page writes it
    await field.fill(shown)
    await expect(confirm).to_be_enabled()
    await field.press("Enter")
    await expect(page.locator(".preview")).to_contain_text("Delete it: deleted.")
    assert looking.world.done == [(f"/admin/documents/{name}/delete", {})]


async def test_read_only_needs_a_reason_which_goes_along(looking: Looking) -> None:
    await looking.go()
    page = looking.page
    await page.get_by_role("button", name="Make read-only…").click()
    confirm = page.get_by_role("button", name="Make read-only", exact=True)
    await expect(confirm).to_be_disabled()
    await page.get_by_label("Why, for those who meet it").fill("moving house & home")
    await confirm.click()
    await expect(page.locator("#act-close")).to_be_focused()
    assert looking.world.done == [("/admin/store/read-only", {"reason": "moving house & home"})]


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, ["Compact", "Load", "Make read-only", "Delete…"]),
        (
            {"read_only": {"reason": "r", "by": "ada", "since_ms": NOW_MS}},
            ["Compact", "Load", "Make writable", "Delete…"],
        ),
        ({"deleted_ms": NOW_MS}, ["Compact", "Load", "Make read-only", "Forget…"]),
    ],
    ids=["stored", "read-only", "deleted"],
)
async def test_only_what_makes_sense_is_offered(
    looking: Looking, name: str, changes: dict[str, object], offered: list[str]
) -> None:
    looking.world.change(name, **changes)
    page = await open_document(looking, name)
    section = page.locator("section", has=page.get_by_role("heading", name="Act on it")).last
    assert await section.get_by_role("button").all_inner_texts() == offered


async def test_a_name_that_no_address_holds_is_not_acted_on(looking: Looking) -> None:
    page = await open_document(looking, "..")
    await expect(page.get_by_text("No address in a browser can hold this name.")).to_be_visible()
    await expect(page.get_by_role("button", name="Compact")).to_have_count(0)


async def test_a_refusal_is_told_and_nothing_can_be_confirmed(looking: Looking, name: str) -> None:
    page = await open_document(looking, name)
    looking.served.is_reachable = False
    await page.get_by_role("button", name="Compact").click()
    await expect(page.locator(".preview")).to_contain_text("Not now.")
    await expect(page.locator("#act-confirm")).to_have_count(0)


@pytest.mark.parametrize(
    ("status", "word", "message", "says"),
    [
        (409, "not_sensible", "it would do harm", "It was refused: it would do harm."),
        (503, "storage", "nothing was done: full", "Nothing was done: full."),
        (500, "unrecorded", "it was done (ok), but not kept", "It was done (ok), but not kept."),
        (502, None, "", f"{UNKNOWN} The server answered 502."),
        (0, None, "", f"{UNKNOWN} The server cannot be reached."),
    ],
    ids=["refused", "storage", "unrecorded", "proxy", "lost"],
)
async def test_what_failed_is_said_to_be_refused_only_when_it_was(
    looking: Looking, name: str, status: int, word: str | None, message: str, says: str
) -> None:
    async def fail(route: Route) -> None:
        if status == 0:
            await route.abort()
        elif word is None:
            await route.fulfill(status=status, body="<h1>Bad gateway</h1>")
        else:
            await route.fulfill(status=status, json={"error": word, "message": message})

    page = await open_document(looking, name)
    await page.route("**/compact", fail)  # a dry run has a query
    await page.get_by_role("button", name="Compact").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Compact").click()
    await expect(page.locator(".preview")).to_have_text(says)
    await expect(page.locator("#act-confirm")).to_have_count(0)


async def test_refused_bytes_are_listed_and_can_be_saved(looking: Looking, name: str) -> None:
    looking.world.change(name, quarantined=1)
    page = await open_document(looking, name)
    table = page.get_by_role("region", name="1 refused update kept")
    await expect(table).to_contain_text("<i>ada</i>")
    async with page.expect_download() as downloading:
        await table.get_by_role("button", name="Save bytes").click()
    download = await downloading.value
    assert download.suggested_filename == "quarantined-7.bin"
    assert (await download.path()).read_bytes() == b"\x00\x01refused"


async def test_bytes_that_cannot_be_had_are_said_to_be_missing(looking: Looking, name: str) -> None:
    looking.world.change(name, quarantined=1)
    page = await open_document(looking, name)
    button = page.get_by_role("button", name="Save bytes")
    await expect(button).to_be_visible()
    looking.served.is_reachable = False
    await button.click()
    await expect(page.get_by_role("alert")).to_have_text("Update 7 is not saved: not now.")


@pytest.mark.parametrize(
    ("label", "title", "result"),
    [
        ("Release…", "Take a refused update back", "released"),
        ("Discard…", "Discard a refused update", "discarded"),
    ],
)
async def test_a_refused_update_is_decided_on_after_a_preview(
    looking: Looking, name: str, label: str, title: str, result: str
) -> None:
    looking.world.change(name, quarantined=1)
    page = await open_document(looking, name)
    word = label.removesuffix("…")
    await page.get_by_role("button", name=label).click()
    dialog = page.get_by_role("dialog", name=title)
    await expect(dialog).to_contain_text(name)
    await expect(dialog).to_contain_text(f"This would {word.lower()} update 7.")
    assert looking.world.done == []
    await dialog.get_by_role("button", name=word, exact=True).click()
    await expect(dialog).to_contain_text(f"{title}: {result}.")
    assert looking.world.done == [(f"/admin/quarantine/7/{word.lower()}", {})]
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name=label)).to_have_count(0)


async def test_what_the_document_refuses_again_is_told_and_stays(
    looking: Looking, name: str
) -> None:
    looking.world.change(name, quarantined=1)
    looking.world.refusal = "the update ends early"
    page = await open_document(looking, name)
    await page.get_by_role("button", name="Release…").click()
    await page.get_by_role("button", name="Release", exact=True).click()
    await expect(page.locator(".preview")).to_contain_text("It was refused: the update ends early.")
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("button", name="Release…")).to_be_focused()


async def test_a_session_is_revoked_after_a_preview(looking: Looking, name: str) -> None:
    """Only those of this document are listed; whatever a client said of itself is text."""
    looking.world.sessions = [
        session(name, 1, user="<i>eve</i>\u202e"),
        session(name, 2),
        session("another", 3),
    ]
    page = await open_document(looking, name)
    table = page.get_by_role("region", name="2 active sessions")
    row = table.get_by_role("row", name="<i>eve</i>")
    await expect(row).to_contain_text("address: 192.0.2.1")
    await row.get_by_role("button", name="Revoke…").click()
    dialog = page.get_by_role("dialog", name="End a session")
    await expect(dialog).to_contain_text(
        "This would revoke the session of <i>eve</i>\u2039U+202E\u203a."
    )
    assert looking.world.done == []
    await dialog.get_by_role("button", name="Revoke", exact=True).click()
    await expect(dialog).to_contain_text("End a session: revoked.")
    assert looking.world.done == [("/admin/sessions/session-1/revoke", {})]
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("region", name="1 active session")).to_be_visible()
    await expect(row).to_have_count(0)


async def test_who_comes_is_listed_without_being_asked_for(looking: Looking, name: str) -> None:
    page = await open_document(looking, name)
    await looking.follow()
    await expect(page.get_by_text("Nobody is admitted to it.")).to_be_visible()
    live = next(each.name for each in looking.world.listed if each.is_live)
    found = looking.world.document(live)
    assert found is not None
    assert found.live is not None
    looking.world.sessions = [session(name, 1)]
    looking.world.change(name, live=found.live.model_dump())
    looking.served.tick()
    row = page.get_by_role("region", name="1 active session").get_by_role("row").last
    await expect(row.locator(".number")).to_have_text("1")


async def test_figures_that_move_do_not_disturb_who_types_a_name(
    looking: Looking, name: str
) -> None:
    page = await open_document(looking, name)
    await looking.follow()
    await page.get_by_role("button", name="Delete…").click()
    field = page.get_by_label("Type the name, to be sure")
    await field.press_sequentially(name[:4])
    looking.world.change(name, health="degraded", because=["something"])
    looking.served.tick()
    await expect(page.locator(".because")).to_have_text("something")
    await field.press_sequentially(name[4:])
    await expect(field).to_have_value(name)
    await expect(page.get_by_role("button", name="Delete", exact=True)).to_be_enabled()
