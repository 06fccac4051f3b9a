"""tools/fuzz_relay: what it builds is what it says, and each of its judges notices."""

import asyncio
import importlib
import json
import random
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pycrdt
import pytest

from .fuzz_findings import children_of, deep_lists
from .misbehaving import MisbehavingServer
from .node import NodeProcess
from .peers import document_of, text_of
from .server import CHECKOUT, RunningServer, environment
from .waiting import DEADLINE_S
from .ywire import decode_state_vector

TOOLS = CHECKOUT / "tools"
BAD = bytes.fromhex("01010700040104746578740362616400")
WAITING = ("010307010401047269636801610a01840702016300", "01010704840701016200")
# Two letters, and one between the second and itself.
NO_PLACE = ("0101070004010474657874016100", "01010701840700016200", "01010600c407010701017800")
PANIC = ["0101ef070004010174016100", "0101ef075f4158000001ef07012201"]


@pytest.fixture
def fuzzlib(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the tool."""
    monkeypatch.syspath_prepend(TOOLS)
    return lambda name: importlib.import_module(f"fuzzlib.{name}")


@pytest.fixture
async def fake() -> AsyncIterator[MisbehavingServer]:
    async with MisbehavingServer().run() as server:
        yield server


def scene_of(fuzzlib: Any, seed: int = 1) -> Any:
    return fuzzlib("scene").Scene(random.Random(seed), {7: 100, 8: 50})


# ---------------------------------------------------------------- what is sent


def test_a_built_update_has_the_bytes_that_yjs_writes(fuzzlib: Any) -> None:
    encoding = fuzzlib("encoding")
    assert encoding.one(7, 0, encoding.text("bad")) == BAD
    assert encoding.deletion(7, 1, 2) == bytes.fromhex("00010701" + "0102")
    assert encoding.number(300) == b"\xac\x02"
    assert encoding.number(3, padding=2) == b"\x83\x80\x00"
    assert encoding.any_value({"k": [-65]}) == b"\x76\x01\x01k\x75\x01\x7d\xc1\x01"


async def test_what_an_author_writes_is_taken_alike_by_yrs_and_yjs(
    fuzzlib: Any, node: NodeProcess
) -> None:
    for seed in range(60):
        author = fuzzlib("authoring").new_author(random.Random(seed))
        updates = [author.update() for _ in range(8)]
        clocks = {author.client: author.clock} if author.clock else {}
        doc = document_of(*updates)
        summary = await node.summarize(*updates)
        assert decode_state_vector(doc.get_state()) == clocks, seed
        assert {int(k): v for k, v in summary["stateVector"].items()} == clocks, seed
        assert not summary["pending"], seed
        assert summary["text"] == str(text_of(doc)), seed


def typed_by(fuzzlib: Any, client: int) -> list[bytes]:
    encoding = fuzzlib("encoding")
    token = f"<{client}>"
    clocks = range(0, 60 * len(token), len(token))
    return [
        encoding.one(
            client, clock, encoding.text(token, origin=(client, clock - 1) if clock else None)
        )
        for clock in clocks
    ]


async def test_stock_yjs_orders_by_its_arrival_what_is_on_both_sides_of_one_thing(
    fuzzlib: Any, tmp_path: Path
) -> None:
    sent = [*map(bytes.fromhex, NO_PLACE)]
    paths = [tmp_path / "last", tmp_path / "first"]
    for path, updates in zip(paths, (sent, sent[::-1]), strict=True):
        fuzzlib("judge").write_updates(path, updates)
    last, first = await fuzzlib("arbiter").ask_stock(*paths)
    assert (last.texts["text"], first.texts["text"]) == ("axb", "abx")
    assert (last.clocks, last.sent) == (first.clocks, first.sent)


@pytest.mark.parametrize("name", ["dangling", "on both sides"])
async def test_what_stock_yjs_itself_orders_by_its_arrival_is_judged_by_no_text(
    fuzzlib: Any, tmp_path: Path, name: str
) -> None:
    judging = fuzzlib("judge")
    honest = [
        each
        for both in zip(typed_by(fuzzlib, 7), typed_by(fuzzlib, 8), strict=True)
        for each in both
    ]
    half = len(honest) // 2
    forges, paths = [], []
    for seed in range(40):
        case = fuzzlib("update_cases").UpdateCases.poison(scene_of(fuzzlib, seed), name)
        forges.append(case.forges)
        sent = [step.data for step in case.steps]
        for at in (0, half, len(honest)):
            paths.append(tmp_path / f"{seed}-{at}")
            judging.write_updates(paths[-1], [*honest[:at], *sent, *honest[at:]])
    read = iter(await fuzzlib("arbiter").ask_stock(*paths))
    unruly = [
        forged
        for forged, *verdicts in zip(forges, read, read, read, strict=True)
        if not any(verdict.trouble for verdict in verdicts)
        and len({verdict.texts["text"] for verdict in verdicts}) > 1
    ]
    assert all(unruly), "they are judged by their text"
    assert any(unruly) == (name == "on both sides")


def test_every_attack_is_made_again_by_its_seed(fuzzlib: Any) -> None:
    updates = fuzzlib("update_cases").UpdateCases([[BAD] * 5])
    sessions = fuzzlib("session_cases")
    makers = {
        "wire": fuzzlib("wire_cases").make,
        "updates": updates.make,
        "awareness": fuzzlib("awareness_cases").make,
        "sessions": lambda scene: sessions.make(scene, updates),
    }
    assert tuple(makers) == fuzzlib("campaign").STRATEGIES
    for strategy, make in makers.items():
        made = [make(scene_of(fuzzlib, seed)) for seed in range(40)]
        assert {case.strategy for case in made} == {strategy}
        assert made == [make(scene_of(fuzzlib, seed)) for seed in range(40)]
        assert len({case.attack for case in made}) > 5


def test_every_poison_is_at_times_in_the_way_of_normal_updates(fuzzlib: Any) -> None:
    poisons = fuzzlib("poisons").POISONS
    assert len(poisons) > 25
    for name, make in poisons.items():
        assert all(isinstance(update, bytes) for update in make(scene_of(fuzzlib))), name
    muted = set(poisons) - {"skips"}
    cases = fuzzlib("update_cases").UpdateCases([], muted)
    scene = scene_of(fuzzlib)
    assert muted.isdisjoint(cases.make(scene).attack for _ in range(100))


def test_a_mutation_changes_bytes_and_a_misdelivery_does_not(fuzzlib: Any) -> None:
    mutations = fuzzlib("mutations")
    chance = random.Random(1)
    assert sum(mutations.mutate(BAD, chance) != BAD for _ in range(100)) > 90
    history = [bytes([n]) for n in range(50)]
    delivered = mutations.misdeliver(history, chance)
    assert delivered != history
    assert set(delivered) < set(history)


def test_a_case_is_read_as_it_was_written(fuzzlib: Any, tmp_path: Path) -> None:
    cases = fuzzlib("cases")
    steps = [
        cases.Step(cases.Send.UPDATE, BAD),
        cases.Step(cases.Send.RAW, bytes(100_000), 3),
        cases.Step(cases.Send.CUT),
    ]
    case = cases.Case("updates", "attack", steps, True, [7, 8], [3])
    path = tmp_path / "case.json"
    cases.write_case(path, case, ["found"])
    assert cases.read_case(path) == case
    assert json.loads(path.read_text())["found"] == ["found"]
    assert path.stat().st_size < 2_000


def test_cases_that_are_joined_are_played_one_after_the_other(fuzzlib: Any) -> None:
    """A refusal of one must not take along what another sent."""
    cases = fuzzlib("cases")
    both = [
        cases.updates_case("updates", "valid", [b"a"]),
        cases.updates_case("updates", "valid", [b"b"], is_valid=True),
    ]
    both[1] = cases.as_session(both[1], 2)
    joined = cases.joined([*both, *both])
    assert [str(step.send) for step in joined.steps] == ["update", *["end", "update"] * 3]
    assert [step.session for step in joined.steps if step.data] == [0, 3, 4, 7]
    assert joined.valid == [3, 7]


async def test_a_finding_is_minimised_to_what_is_needed_for_it(fuzzlib: Any) -> None:
    cases, findings = fuzzlib("cases"), fuzzlib("findings")
    kind = findings.Kind.REPLICAS_DIFFER
    needed = {b"\x03", b"\x0b"}

    async def replay(case: Any) -> Sequence[Any]:
        sent = {step.data for step in case.steps}
        return [findings.Finding(kind, "", "", [case])] if needed <= sent else []

    halves = [[bytes([n]) for n in range(8)], [bytes([n]) for n in range(8, 16)]]
    both = [cases.updates_case("updates", "a", half) for half in halves]
    case = await fuzzlib("minimise").minimise(findings.Finding(kind, "", "", both), replay)
    assert {step.data for step in case.steps} == needed
    other = findings.Finding(findings.Kind.SERVER_DIED, "", "", both)
    assert await fuzzlib("minimise").minimise(other, replay) is None


# ---------------------------------------------------------------- the judges


@pytest.mark.parametrize(
    ("line", "harmless"),
    [
        ('{"event": "connection closed", "level": "warning", "code": 4422}', True),
        ('{"event": "stopped", "level": "info"}', True),
        ('{"event": "document failed", "level": "warning"}', False),
        ('{"event": "storage is failing", "level": "error"}', False),
        ('{"event": "the journal grows", "level": "error", "reason": "it is damaged"}', False),
        ('{"event": "the journal grows", "level": "error", "reason": "it grows too fast"}', True),
        ("Traceback (most recent call last):", False),
        ("thread '<unnamed>' panicked at src/block.rs:1:1:", False),
    ],
)
def test_only_refusals_are_harmless_in_a_log(fuzzlib: Any, line: str, harmless: bool) -> None:
    assert fuzzlib("watching").is_harmless(line) == harmless


def test_a_server_that_dies_hangs_bloats_or_complains_is_noticed(
    fuzzlib: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, kind = fuzzlib("watching"), fuzzlib("findings").Kind
    own = int(Path("/proc/self").resolve().name)
    server = SimpleNamespace(
        is_running=True, process_id=own, log=[], describe=lambda: "exit code -11"
    )
    prober = SimpleNamespace(waits_s=[0.01], waiting_s=0.0)
    watch = watching.Watch(server, prober)
    assert list(watch.look()) == []
    server.log.append("Traceback (most recent call last):")
    prober.waiting_s = 1.5
    monkeypatch.setattr(watching, "MEMORY_BYTES_MAX", 1000)
    found = [each for each, _ in watch.look()]
    assert found == [kind.SERVER_LOGGED, kind.SERVER_BLOATED, kind.SERVER_HUNG]
    assert list(watch.look()) == [], "each complaint is made once"
    server.is_running = False
    assert [each for each, _ in watch.look()] == [kind.SERVER_DIED]


async def test_the_judge_tells_replicas_apart_and_notices_panics_and_deaths(
    fuzzlib: Any, tmp_path: Path
) -> None:
    judging = fuzzlib("judge")
    paths = [tmp_path / name for name in ("one", "same", "other", "panic", "death")]
    doc = document_of(BAD)
    text_of(doc).insert(0, "more")
    other = [doc.get_update()]
    for path, updates in zip(
        paths,
        ([BAD], [BAD, BAD], other, map(bytes.fromhex, PANIC), [deep_lists(100_000)]),
        strict=True,
    ):
        judging.write_updates(path, updates)
    one, same, another, panic = await judging.judge(*paths[:4])
    assert one == same
    assert one.texts["text"] == "bad"
    assert another != one
    assert not one.trouble
    assert "PanicException" in panic.trouble[0]
    with pytest.raises(judging.JudgeDied, match="-11"):
        await judging.judge(paths[4])


async def test_where_pycrdt_clients_alone_differ_stock_yjs_says_who_is_wrong(
    fuzzlib: Any, tmp_path: Path
) -> None:
    judging, arbiter = fuzzlib("judge"), fuzzlib("arbiter")
    # Letters of which all wait for the first: yrs shows as many of them as their order lets it.
    waiting = [*map(bytes.fromhex, WAITING)]
    swapped = [bytes.fromhex("01010700040104746578740362656400")]
    paths = {}
    for name, updates in {
        "live": waiting,
        "stored": [pycrdt.merge_updates(*waiting)],
        "lost": waiting[:1],
        "bad": [BAD],
        "bed": swapped,
    }.items():
        paths[name] = tmp_path / name
        judging.write_updates(paths[name], updates)
    read = dict(zip(paths, await judging.judge(*paths.values()), strict=True))

    async def is_blamed(one: str, other: str) -> bool:
        assert read[one] != read[other]
        blamed: bool = await arbiter.blames_yrs(paths[one], paths[other])
        return blamed

    assert await is_blamed("live", "stored")
    assert not await is_blamed("live", "lost")
    assert not await is_blamed("bad", "bed")
    assert not await is_blamed("bad", "live")
    assert await arbiter.blames_yrs_beside(read["bad"], paths["bad"])
    assert not await arbiter.blames_yrs_beside(read["bed"], paths["bad"])


async def test_what_only_pycrdt_stumbles_over_is_told_from_what_hurts_stock_clients(
    fuzzlib: Any, tmp_path: Path
) -> None:
    judging, arbiter = fuzzlib("judge"), fuzzlib("arbiter")
    paths = [tmp_path / name for name in ("child", "panic")]
    letters = bytes.fromhex("0101070004010474657874") + b"\x08" + b"a" * 8 + b"\x00"
    judging.write_updates(paths[0], [*children_of(7), letters])
    judging.write_updates(paths[1], map(bytes.fromhex, PANIC))
    child, panic = await judging.judge(*paths)
    assert await arbiter.is_known_trouble(child, paths[0])
    assert not await arbiter.is_known_trouble(panic, paths[1])


async def arena_at(fuzzlib: Any, fake: MisbehavingServer, place: Path, node: Any = None) -> Any:
    chance = random.Random(1)
    arena = fuzzlib("arena").Arena("n", lambda: fake.port, chance, place, node)
    await arena.open()
    return arena


async def first_findings(arena: Any) -> Sequence[Any]:
    """Look until something is found; what is looked at announces nothing."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := list(arena.look())):  # noqa: ASYNC110
            await asyncio.sleep(0)
        return found


async def kinds_when_settled(arena: Any) -> set[str]:
    _, findings = await arena.settle()
    found = {str(finding.kind) for finding in [*findings, *arena.look()]}
    await arena.close()
    return found


async def test_nothing_is_found_where_nothing_is_wrong(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path
) -> None:
    arena = await arena_at(fuzzlib, fake, tmp_path)
    case = fuzzlib("cases").updates_case("updates", "valid", [BAD])
    outcome = await arena.attack(case)
    assert outcome.is_accepted
    assert len(outcome.receipts) == 1
    assert await kinds_when_settled(arena) == set()


async def test_an_honest_client_that_is_closed_is_noticed(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path
) -> None:
    arena = await arena_at(fuzzlib, fake, tmp_path)
    fake.close_code = 4500
    found = await first_findings(arena)
    assert found[0].kind == fuzzlib("findings").Kind.BYSTANDER_CLOSED
    assert "4500" in found[0].detail
    await arena.close()


async def test_receipts_and_answers_that_do_not_come_are_noticed(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzlib("arena"), "RECEIPT_S_MAX", 0.3)
    monkeypatch.setattr(fuzzlib("attacking"), "ANSWER_S", 0.1)
    arena = await arena_at(fuzzlib, fake, tmp_path)
    fake.is_mute = True
    outcome = await arena.attack(fuzzlib("cases").updates_case("updates", "valid", [BAD]))
    assert outcome.silent == 1
    found = await first_findings(arena)
    assert found[0].kind == fuzzlib("findings").Kind.NO_RECEIPT
    await arena.close()


@pytest.mark.parametrize("is_valid", [False, True])
async def test_an_attacker_that_is_closed_has_its_code_counted(
    fuzzlib: Any, fake: MisbehavingServer, is_valid: bool
) -> None:
    cases, scene = fuzzlib("cases"), scene_of(fuzzlib)
    fake.close_code = 4422
    case = cases.updates_case("updates", "valid", [BAD], is_valid=is_valid)
    outcome = await fuzzlib("attacking").play(case, fake.port, "n", scene)
    assert outcome.codes == {4422: 1}
    assert not outcome.is_accepted
    assert outcome.valid_ends == (["4422 "] if is_valid else [])


def test_sessions_that_are_valid_are_known_among_the_others(fuzzlib: Any) -> None:
    updates = fuzzlib("update_cases").UpdateCases([])
    make = fuzzlib("session_cases").make
    made = [make(scene_of(fuzzlib, seed), updates) for seed in range(60)]
    assert any(case.valid for case in made)
    for case in made:
        assert len(case.valid) >= ("valid" in case.attack.split(" + "))
        assert set(case.valid) <= {step.session for step in case.steps}
        sends = {str(step.send) for step in case.steps if step.session in case.valid}
        assert sends <= {"update", "cut"}


async def test_a_refusal_beside_a_valid_session_is_none_of_it(
    fuzzlib: Any, server: RunningServer
) -> None:
    cases = fuzzlib("cases")
    refused = cases.Step(cases.Send.UPDATE, bytes.fromhex("000107010000"), 0)
    steps = [refused, cases.Step(cases.Send.UPDATE, BAD, 1)]
    case = cases.Case("sessions", "valid + zero lengths", steps, valid=[1])
    outcome = await fuzzlib("attacking").play(case, server.port, "n", scene_of(fuzzlib))
    assert outcome.codes == {4422: 1}
    assert outcome.valid_ends == []
    assert len(outcome.receipts) == 1


async def test_a_message_in_fragments_is_taken_whole(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path
) -> None:
    arena = await arena_at(fuzzlib, fake, tmp_path)
    await fake.say_in_fragments(BAD)
    settled, findings = await arena.settle()
    await arena.close()
    assert findings == []
    assert "bad" in settled.verdict.texts["text"]


async def test_nothing_is_compared_before_all_that_waits_has_come_in(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path
) -> None:
    arena = await arena_at(fuzzlib, fake, tmp_path)
    fake.waiting, fake.comes_late = 2, BAD
    settled, findings = await arena.settle()
    await arena.close()
    assert findings == []
    assert fake.waiting == 0
    assert "bad" in settled.verdict.texts["text"]


async def test_what_waits_for_too_long_is_a_finding_and_nothing_is_compared(
    fuzzlib: Any, fake: MisbehavingServer
) -> None:
    wait_quiet = fuzzlib("quiet").wait_quiet
    fake.waiting = 1_000_000
    assert "on_trial_updates" in await wait_quiet(fake.port, "n", within_s=0)
    fake.waiting = 0
    assert await wait_quiet(fake.port, "n", stale_s=0) == ""


async def test_replicas_that_differ_are_noticed(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzlib("arena"), "STOCK_READS_S", 0.0)
    arena = await arena_at(fuzzlib, fake, tmp_path)
    await fake.whisper(BAD)
    found = await kinds_when_settled(arena)
    assert found == {str(fuzzlib("findings").Kind.REPLICAS_DIFFER)}


async def test_a_stock_client_that_is_hurt_is_noticed(
    fuzzlib: Any, fake: MisbehavingServer, tmp_path: Path
) -> None:
    node = await NodeProcess.start()
    arena = await arena_at(fuzzlib, fake, tmp_path, node)
    await fake.say(deep_lists(20_000))
    found = await first_findings(arena)
    assert found[0].kind == fuzzlib("findings").Kind.STOCK_HURT
    assert "RangeError" in found[0].detail
    await arena.close()
    await node.kill()


async def test_receipts_for_what_is_not_stored_are_noticed(fuzzlib: Any, tmp_path: Path) -> None:
    bout = fuzzlib("bout").Bout(tmp_path)
    await bout.start()
    arena = bout.arena("n", random.Random(1), None)
    await arena.open()
    settled, findings = await arena.settle()
    await arena.close()
    assert findings == []
    settled.receipts[12345] = 3
    bout.settled.append(settled)
    (finding,) = await bout.finish()
    assert finding.kind == fuzzlib("findings").Kind.STORE_DIFFERS
    assert "12345" in finding.detail


async def test_a_store_that_is_not_sound_is_noticed(fuzzlib: Any, tmp_path: Path) -> None:
    bout = fuzzlib("bout").Bout(tmp_path)
    await bout.start()
    arena = bout.arena("n", random.Random(1), None)
    await arena.open()
    await arena.settle()
    await arena.close()
    original = bout.server.restart

    async def restart_damaged(*, same_port: bool, within_s: float) -> None:
        await original(same_port=same_port, within_s=within_s)
        data = bytearray(bout.server.store_path.read_bytes())
        # Every page but the first: what is read of it is damaged, whichever it is.
        data[4096:] = bytes(byte ^ 0x55 for byte in data[4096:])
        bout.server.store_path.write_bytes(data)

    bout.server.restart = restart_damaged
    (finding,) = await bout.finish()
    assert finding.kind == fuzzlib("findings").Kind.STORE_UNSOUND


async def test_a_server_that_does_not_end_is_told_with_the_reason_first(
    fuzzlib: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzlib("bout"), "DRAIN_S", 0.1)
    bout = fuzzlib("bout").Bout(tmp_path)
    await bout.start()
    bout.server.log += [json.dumps({"level": "info", "event": "e" * 2000})]
    bout.server.freeze()
    (finding,) = await bout.finish()
    assert finding.kind == fuzzlib("findings").Kind.STORE_UNSOUND
    assert finding.detail.startswith("the server did not end in 0.1 s")
    assert len(finding.detail) < 2_000


async def test_a_short_run_reports_what_it_did(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, TOOLS / "fuzz_relay", "--minutes", "0.05", "--seed", "1"),
        *("--strategy", "wire", "--without-node", "--findings", tmp_path / "found"),
        *("--report", report, "--json"),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert output.startswith("seed 1\n"), output
    figures = json.loads(output[output.index("\n{") :])
    # How long a loaded machine lets a server wait is nothing that a test may fail for.
    late = [each for each in figures["findings"] if "event loop" in each["kind"]]
    assert figures["findings"] == late, output
    assert process.returncode == (1 if late else 0)
    assert figures["cases"] > 0
    assert figures["receipts_checked"] > 0
    assert "# Fuzzing" in report.read_text()
    assert len(list((tmp_path / "found").iterdir())) <= len(late)
