"""Looking at the page in a browser: what it shows, and that it moves."""

from urllib.parse import quote

import pytest
from playwright.async_api import expect

from .conftest import Looking
from .serving import until
from .world import HOSTILE_NAMES, NOW_MS, breaker, changed, connection, failing

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_store_that_is_well_says_so_first(looking: Looking) -> None:
    await looking.go()
    page = looking.page
    await expect(page.locator("h1")).to_have_text("All is well.")
    await expect(page.locator(".lede")).to_contain_text("10,000 documents on this disk")
    await expect(page.locator(".troubles")).to_have_count(0)
    assert await page.title() == "Store · yjs-relay"


async def test_what_is_wrong_stands_in_sentences_with_links(looking: Looking) -> None:
    looking.world.storage = failing(looking.world.storage)
    await looking.go()
    page = looking.page
    await expect(page.locator("h1")).to_have_text("Edits are not becoming durable.")
    troubles = page.locator(".troubles li")
    await expect(troubles).to_have_count(3)
    await expect(troubles.nth(0)).to_contain_text("Storage does not take writes.")
    await expect(troubles.nth(0)).to_contain_text("Database or disk is full. Since 48 s.")
    await expect(troubles.nth(1)).to_contain_text("It tries again by itself in 3")
    assert (await page.title()).startswith("▲ ")
    await troubles.nth(1).get_by_role("link").click()
    await expect(page.locator("h1")).to_have_text("notes/harbour-0")


async def test_figures_and_lines_follow_the_stream(looking: Looking) -> None:
    await looking.go()
    await looking.follow()
    updates = looking.page.locator(".gauge", has_text="Updates made durable")
    await expect(updates).to_contain_text("412/s")
    line = updates.locator("path.line")
    before = await line.get_attribute("d")
    looking.served.tick(commits={"updates_per_s": 731.0})
    await expect(updates).to_contain_text("731/s")
    assert await line.get_attribute("d") != before
    label = "Updates made durable: now 731/s, between 412/s and 731/s in the last three minutes."
    await expect(updates.locator("svg")).to_have_attribute("aria-label", label)


async def test_latency_is_that_of_the_last_moment_not_of_all_time(looking: Looking) -> None:
    await looking.go()
    await looking.follow()
    commits = looking.world.storage.commits
    before = commits.duration_ms
    assert before.mean is not None
    count = before.count + 100
    mean = (before.mean * before.count + 50.0 * 100) / count
    looking.served.tick(
        commits={"duration_ms": before.model_dump() | {"count": count, "mean": mean}}
    )
    gauge = looking.page.locator(".gauge").filter(
        has=looking.page.get_by_text("Commit", exact=True)
    )
    await expect(gauge.locator(".now")).to_contain_text("50 ms")


async def test_a_change_of_state_is_announced_once_and_nothing_else_is(looking: Looking) -> None:
    await looking.go()
    await looking.follow()
    announcer = looking.page.locator("#announcer")
    looking.served.tick(commits={"updates_per_s": 5.0})
    await expect(looking.page.locator(".gauge").first).to_contain_text("5/s")
    await expect(announcer).to_have_text("")
    looking.world.storage = failing(looking.world.storage)
    looking.served.tick()
    await expect(announcer).to_have_text("Edits are not becoming durable.")


async def test_what_the_reader_opened_and_holds_stays_while_figures_move(looking: Looking) -> None:
    await looking.go()
    await looking.follow()
    page = looking.page
    await page.locator("#configuration summary").click()
    button = page.get_by_role("button", name="Vacuum…")
    await button.focus()
    looking.world.storage = failing(looking.world.storage)  # a list of troubles comes in between
    looking.served.tick()
    await expect(page.locator(".troubles")).to_be_visible()
    await expect(button).to_be_focused()
    await expect(page.locator("#configuration")).to_have_attribute("open", "")
    await expect(page.locator("#configuration tbody tr").first).to_contain_text("host")


async def test_who_looks_on_asks_for_nothing_but_the_stream(looking: Looking) -> None:
    asked: list[str] = []
    looking.page.on("request", lambda request: asked.append(request.url))
    await looking.go()
    await looking.follow()
    await expect(looking.page.locator(".gauge").first).to_be_visible()
    before = len(asked)
    for rate in (1.0, 2.0, 3.0):
        looking.served.tick(commits={"updates_per_s": rate})
        await expect(looking.page.locator(".gauge").first).to_contain_text(f"{rate:.0f}/s")
    assert asked[before:] == []
    assert len([url for url in asked if "/debug/page/" not in url]) == 3  # page, me, stream


async def test_a_server_that_is_gone_is_said_to_be(looking: Looking) -> None:
    await looking.page.clock.install()
    await looking.go()
    await looking.follow()
    looking.served.is_reachable = False
    await looking.page.clock.fast_forward(20_000)
    await expect(looking.page.locator("h1")).to_contain_text("No word from the server for 2")
    await expect(looking.page.locator(".pulse")).to_contain_text("heard 2")


async def test_without_a_stream_it_polls(looking: Looking) -> None:
    looking.world.has_stream = False
    await looking.go()
    await expect(looking.page.locator(".pulse")).to_have_text("polling")
    await expect(looking.page.locator("h1")).to_have_text("All is well.")
    looking.world.storage = failing(changed(looking.world.storage, at_ms=NOW_MS + 1000))
    await expect(looking.page.locator("h1")).to_have_text("Edits are not becoming durable.")


async def test_a_tab_that_nobody_sees_lets_go_of_its_stream(looking: Looking) -> None:
    await looking.go()
    await looking.follow()
    hide = "is => { Object.defineProperty(document, 'hidden', {value: is, configurable: true});"
    hide += " document.dispatchEvent(new Event('visibilitychange')) }"
    await looking.page.evaluate(hide, True)
    await until(lambda: not looking.served.streams)
    await looking.page.evaluate(hide, False)
    await until(lambda: bool(looking.served.streams))


# ---- the list ------------------------------------------------------------------------------


async def test_ten_thousand_documents_come_by_pages(looking: Looking) -> None:
    await looking.go("#/documents")
    page = looking.page
    rows = page.locator(".documents tbody tr")
    await expect(rows).to_have_count(50)
    first = await rows.first.get_attribute("data-key")
    await page.get_by_role("button", name="Next page").click()
    await expect(rows.first).not_to_have_attribute("data-key", str(first))
    assert page.url.endswith("#/documents?after=50")
    second = await rows.first.get_attribute("data-key")
    await page.get_by_role("button", name="Next page").click()
    await expect(rows.first).not_to_have_attribute("data-key", str(second))
    await page.get_by_role("button", name="Back").click()
    await expect(page).to_have_url(f"{looking.served.url}/debug#/documents?after=50")
    await page.get_by_role("button", name="First page").click()
    await expect(rows.first).to_have_attribute("data-key", str(first))


async def test_the_last_page_has_no_next(looking: Looking) -> None:
    await looking.go("#/documents?after=9950")
    await expect(looking.page.locator(".documents tbody tr")).to_have_count(50)
    await expect(looking.page.get_by_role("button", name="Next page")).to_be_disabled()


async def test_names_are_found_by_how_they_begin_while_one_types(looking: Looking) -> None:
    await looking.go("#/documents")
    page = looking.page
    await page.get_by_label("Name begins with").press_sequentially("wiki/ledger-80")
    wanted = sorted(
        each.name for each in looking.world.listed if each.name.startswith("wiki/ledger-80")
    )
    rows = page.locator(".documents tbody tr")
    await expect(rows).to_have_count(len(wanted))
    assert [await row.get_attribute("data-key") for row in await rows.all()] == wanted
    await expect(page.get_by_label("Name begins with")).to_be_focused()
    assert page.url.endswith("?prefix=wiki%2Fledger-80")
    await page.get_by_label("Name begins with").fill("nobody")
    await expect(page.locator(".empty")).to_have_text("No name begins so.")


async def test_only_those_in_trouble_and_the_largest_first(looking: Looking) -> None:
    await looking.go("#/documents")
    page = looking.page
    await page.get_by_label("Only those in trouble").check()
    bad = [each for each in looking.world.listed if each.health != "ok"]
    await expect(page.locator(".documents tbody tr")).to_have_count(len(bad))
    await expect(page.locator("td.health .mark[data-level=ok]")).to_have_count(0)
    await page.get_by_label("Sorted by").select_option("Size")
    largest = max(bad, key=lambda each: each.snapshot_bytes + each.journal.bytes)
    first = page.locator(".documents tbody tr").first
    await expect(first).to_have_attribute("data-key", largest.name)
    # The address holds it all, for a friend or for later.
    await page.reload()
    await expect(first).to_have_attribute("data-key", largest.name)
    await expect(page.get_by_label("Only those in trouble")).to_be_checked()
    await expect(page.get_by_label("Sorted by")).to_have_value("bytes")


async def test_a_row_shows_writes_and_how_its_size_goes(looking: Looking) -> None:
    await looking.page.clock.install()
    await looking.go("#/documents")
    number = next(i for i, each in enumerate(looking.world.listed[:50]) if not any(each.writes))
    row = looking.page.locator(".documents tbody tr").nth(number)
    await expect(row.locator(".spark rect")).to_have_count(0)
    await expect(row.locator(".spark .line")).to_have_count(0)
    looking.world.listed[number] = changed(
        looking.world.listed[number], writes=[0] * 28 + [4, 9], snapshot_bytes=700_000
    )
    await looking.page.clock.fast_forward(3_500)
    await expect(row.locator(".spark rect")).to_have_count(2)
    await expect(row.locator(".spark .line")).to_have_count(1)
    label = row.get_by_label("13 rows written in the last five minutes")
    await expect(label).to_be_visible()


async def test_a_row_that_moves_keeps_the_focus(looking: Looking) -> None:
    await looking.page.clock.install()
    await looking.go("#/documents?sort=updated")
    rows = looking.page.locator(".documents tbody tr")
    name = str(await rows.nth(5).get_attribute("data-key"))
    link = rows.nth(5).get_by_role("link")
    await link.focus()
    number = next(i for i, each in enumerate(looking.world.listed) if each.name == name)
    looking.world.listed[number] = changed(looking.world.listed[number], updated_ms=NOW_MS)
    await looking.page.clock.fast_forward(3_500)
    await expect(rows.first).to_have_attribute("data-key", name)
    await expect(rows.first.get_by_role("link")).to_be_focused()


# ---- names of strangers ---------------------------------------------------------------------


async def test_hostile_names_are_text_and_are_seen_for_what_they_are(looking: Looking) -> None:
    looking.world.listed = [each for each in looking.world.listed if each.name in HOSTILE_NAMES]
    looking.world.storage = failing(looking.world.storage)
    await looking.go("#/documents")
    page = looking.page
    rows = page.locator(".documents tbody tr")
    await expect(rows).to_have_count(len(HOSTILE_NAMES))
    await expect(page.locator("main img, main script, main iframe")).to_have_count(0)
    await expect(page.get_by_role("link", name="notes/U+202Egpj.exe")).to_be_visible()
    await expect(page.get_by_role("link", name="␣leading and trailing␣")).to_be_visible()
    await expect(page.get_by_role("link", name="zeroU+200Bwidth")).to_be_visible()
    await expect(page.locator(".odd")).to_have_count(5)  # and none of them is only text
    assert await page.evaluate("globalThis.hurt") is None


async def test_every_name_leads_to_its_own_document(looking: Looking) -> None:
    looking.world.listed = [each for each in looking.world.listed if each.name in HOSTILE_NAMES]
    page = looking.page
    await looking.go()
    for number, listed in enumerate(looking.world.listed):
        await page.evaluate("location.hash = '#/documents'")
        await page.locator(".documents tbody tr").nth(number).get_by_role("link").click()
        await page.locator("#raw summary").click()
        told = await page.locator("#raw pre").inner_text()
        found = looking.world.document(listed.name)
        assert found is not None
        assert type(found).model_validate_json(told) == found
        # No path can hold "..": the stream tells of it, and the path is not asked.
        assert (f"/debug/documents/{listed.name}" in looking.world.asked) == (listed.name != "..")
        if listed.name in ("..", "a/b c?d#e%41&f"):
            await page.reload()
            await expect(page.locator(".strip")).to_be_visible()


# ---- one document ---------------------------------------------------------------------------


async def test_journal_and_snapshot_are_drawn_to_scale(looking: Looking) -> None:
    name = "notes/harbour-56"
    looking.world.change(
        name,
        last_seq=4000,
        cut_seq=3000,
        journal={"rows": 1000, "bytes": 50_000, "is_alarming": True},
        snapshot={"raw_bytes": 200_000, "stored_bytes": 100_000, "chunks": 4},
    )
    await looking.go("#/documents/notes%2Fharbour-56")
    page = looking.page
    await expect(page.locator(".track svg")).to_have_count(4)
    rows, raw, stored, journal = await page.locator(".track svg").all()

    async def widths(track: object) -> list[float]:
        found = track.locator("rect:not(.ground)")  # type: ignore[attr-defined]
        return [float(str(await each.get_attribute("width"))) for each in await found.all()]

    assert await widths(rows) == [750, 250]
    assert await widths(raw) == [1000]
    assert await widths(stored) == [500]
    assert await widths(journal) == [250]
    await expect(stored.locator(".cut")).to_have_count(3)
    label = "Rows 1 to 3,000 are in the snapshot, 1,000 rows after them in the journal."
    await expect(rows).to_have_attribute("aria-label", label)
    await expect(page.locator(".strip")).to_contain_text("1,000 rows, far too long")


async def test_a_document_moves_with_the_stream(looking: Looking) -> None:
    name = next(each.name for each in looking.world.listed if each.is_live)
    found = looking.world.document(name)
    assert found is not None
    assert found.live is not None
    await looking.page.goto(f"{looking.served.url}/debug")
    await looking.page.evaluate("n => location.hash = '#/documents/' + encodeURIComponent(n)", name)
    page = looking.page
    await expect(page.locator(".strip")).to_be_visible()
    await looking.follow()
    await until(lambda: bool(looking.served.streams))
    saving = found.live.saving.model_dump() | {"failures_in_row": 3}
    people = [connection(77, user="hedy", permission="read", lag_ms=910.0, queued_frames=3)]
    looking.world.change(
        name,
        health="failing",
        because=["storage refuses to write"],
        live={"connections": people, "saving": saving},
        breaker=breaker("open", failures_in_row=4, since_ms=NOW_MS, trial_ms=NOW_MS + 60_000),
        traces=[{"at_ms": NOW_MS, "event": "storage refused", "facts": {"errno": 28}}],
    )  # fmt: skip
    looking.served.tick()
    await expect(page.locator(".because")).to_have_text("storage refuses to write")
    await expect(page.locator("#announcer")).to_contain_text("is failing")
    client = page.locator("section", has=page.get_by_role("heading", name="Clients")).locator(
        "tbody tr"
    )
    await expect(client).to_have_count(1)
    await expect(client).to_contain_text("hedy")
    await expect(client).to_contain_text("910 ms")
    await expect(page.locator(".strip")).to_contain_text("Storage has refused 3 saves in a row")
    await expect(page.locator(".breaker [aria-current=true]")).to_have_text("open")
    await expect(page.get_by_text("It tries again by itself in")).to_be_visible()
    await expect(page.locator(".traces li")).to_contain_text("errno 28")


async def test_checkpoints_are_a_chart_and_a_table(looking: Looking) -> None:
    bad = next(each for each in looking.world.listed if each.health == "degraded")
    await looking.page.goto(f"{looking.served.url}/debug")
    await looking.page.evaluate(
        "n => location.hash = '#/documents/' + encodeURIComponent(n)", bad.name
    )
    page = looking.page
    await expect(page.locator(".attempts .before")).to_have_count(24)
    await expect(page.locator(".attempts .failed")).to_have_count(2)
    await expect(page.locator(".attempts .after")).to_have_count(22)
    table = page.get_by_role("region", name="Attempts at a checkpoint")
    await expect(table.locator("tbody tr")).to_have_count(24)
    await expect(table.locator("tbody tr").first).to_contain_text("the candidate is not equal")


async def test_a_document_that_is_not_there_is_said_not_to_be(looking: Looking) -> None:
    await looking.go("#/documents/nobody")
    await expect(looking.page.locator(".because")).to_contain_text(
        "nothing is stored under this name"
    )
    await looking.go("#/documents/%zz")
    await looking.page.reload()
    await expect(looking.page.locator("h1")).to_have_text("There is nothing at this address.")


async def test_what_is_set_apart_is_counted(looking: Looking) -> None:
    await looking.go()
    sheet = looking.page.locator(".sheet", has=looking.page.get_by_text("Set apart", exact=True))
    await expect(sheet).to_contain_text("set aside1 document")
    await expect(sheet).to_contain_text("by a switch2 documents")
    await expect(sheet).to_contain_text("not kept480")
    guard = looking.page.locator(".sheet", has=looking.page.get_by_text("Guard", exact=True))
    await expect(guard).to_contain_text("of an older store3 documents")


async def test_what_could_not_be_read_of_a_document_is_said(looking: Looking) -> None:
    name = next(each.name for each in looking.world.listed if each.name.startswith("wiki/"))
    looking.world.change(name, unreadable=["its checkpoints: the checksum is wrong"])
    await looking.go(f"#/documents/{quote(name, safe='')}")
    unknown = looking.page.get_by_label("What is not known")
    await expect(unknown).to_have_text("its checkpoints: the checksum is wrong")


async def test_what_the_stream_says_of_itself_is_heard(looking: Looking) -> None:
    name = next(each.name for each in looking.world.listed if each.name.startswith("wiki/"))
    await looking.go(f"#/documents/{quote(name, safe='')}")
    page = looking.page
    await expect(page.locator(".strip")).to_be_visible()
    await looking.follow()
    looking.served.say("unavailable", {"message": "StoreFailing"})
    await expect(page.locator(".because")).to_contain_text("could not look into its storage")
    looking.served.say("gone", {})
    await expect(page.locator(".because")).to_contain_text("it is no longer there")
    looking.served.tick()
    await expect(page.locator(".because")).to_have_count(0)
    looking.served.say("refused", {"message": "the token has expired"})
    await expect(page.get_by_role("alert")).to_have_count(0)  # there was no token
    await expect(page.locator("#token")).to_be_focused()


async def test_a_stream_of_the_document_alone_does_for_its_page(looking: Looking) -> None:
    looking.served.tells_both = False
    await looking.page.clock.install()
    listed = next(each for each in looking.world.listed if each.name.startswith("wiki/"))
    await looking.go(f"#/documents/{quote(listed.name, safe='')}")
    await expect(looking.page.locator(".strip")).to_be_visible()
    await looking.follow()
    assert await looking.page.title() == f"{listed.name} · yjs-relay"
    looking.world.storage = failing(looking.world.storage)
    await looking.page.clock.fast_forward(6_000)
    await expect(looking.page).to_have_title(f"▲ {listed.name} · yjs-relay")
