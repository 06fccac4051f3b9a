"""Every metric moves when that happens which it tells of, and all are as Prometheus wants them."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from debug_fields import HUB, SEEN, SWITCH
from observing import STORE
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from relay.errors import CloseCode
from relay.facts import ProcessFacts, QueueFacts
from relay.metrics import METRICS, Measured, MetricRow, metrics_text
from yjs_store import Degradation, Permission, Trouble

DASHBOARD = Path(__file__).parents[2] / "engineering" / "grafana.json"
BASE = Measured(
    STORE,
    HUB,
    QueueFacts({}, 0, 0, 0, 0, 0),
    ProcessFacts("1.0", 42, 9_000, 1_000, 0.5),
    (),
)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
Change = Callable[[Measured], Measured]


def engine(**facts: Any) -> Change:
    return lambda m: replace(m, store=replace(m.store, **facts))


def sized(**facts: Any) -> Change:
    return lambda m: replace(m, store=replace(m.store, sizes=replace(m.store.sizes, **facts)))


def scrubbed(**facts: Any) -> Change:
    assert STORE.scrub is not None
    return engine(scrub=replace(STORE.scrub, **facts))


def served(**facts: Any) -> Change:
    return lambda m: replace(m, hub=replace(m.hub, **facts))


def queued(**facts: Any) -> Change:
    return lambda m: replace(m, queues=replace(m.queues, **facts))


def process(**facts: Any) -> Change:
    return lambda m: replace(m, process=replace(m.process, **facts))


def damaged(measured: Measured) -> Measured:
    return replace(measured, degradations=(Degradation(Trouble.DAMAGE, "notes", "a chunk"),))


# Metric: what happens, done to the facts, and the sample that is there afterwards.
MOVES: dict[str, tuple[str, Change, str, float]] = {
    "commits": ("a commit", engine(commits=3), "_total", 3),
    "journal_rows_written": ("a commit", engine(rows=4), "_total", 4),
    "updates": ("a commit", engine(updates=5), "_total", 5),
    "update_bytes": ("a commit", engine(update_bytes=6), "_total", 6),
    "traces_dropped": ("events rain", engine(traces_dropped=4), "_total", 4),
    "updates_refused": ("an update is refused", engine(refused=1), "_total", 1),
    "trial_processes_died": ("a poison", engine(trial_processes_died=1), "_total", 1),
    "frames_received": ("a client types", served(frames_received=9), "_total", 9),
    "outbox_collapses": ("a slow reader", queued(collapses=2), "_total", 2),
    "scrub_passes": ("everything was read", scrubbed(passes=1), "_total", 1),
    "rooms": ("a client connects", served(rooms=1), "", 1),
    "open_documents": ("a document is loaded", engine(open_documents=4), "", 4),
    "waiting_documents": ("updates gather", engine(waiting_documents=2), "", 2),
    "journal_rows": ("an append", sized(journal_rows=31), "", 31),
    "journal_bytes": ("an append", sized(journal_bytes=32), "", 32),
    "snapshot_bytes": ("a checkpoint", sized(snapshot_bytes=33), "", 33),
    "database_bytes": ("the file grows", sized(file_bytes=34), "", 34),
    "database_wal_bytes": ("a commit", sized(wal_bytes=35), "", 35),
    "database_free_bytes": ("rows are trimmed", sized(free_bytes=36), "", 36),
    "outbox_frames": ("a slow reader", queued(queued_frames=7), "", 7),
    "outbox_bytes": ("a slow reader", queued(queued_bytes=8), "", 8),
    "collapsed_connections": ("a slow reader", queued(collapsed=1), "", 1),
    "unsaved_updates": ("a client types", queued(unsaved_updates=6), "", 6),
    "storage_failures_in_row": ("the disk is full", engine(failures_in_row=3), "", 3),
    "checkpoints_due": ("a journal grows", engine(checkpoints_due=2), "", 2),
    "trial_waiting_bytes": ("a suspect", engine(trials_waiting=100), "", 100),
    "quarantined_updates": ("an update is refused", engine(quarantined=1), "", 1),
    "sessions": ("a client connects", engine(sessions=1), "", 1),
    "unvouched_documents": ("an import", engine(unvouched=2), "", 2),
    "set_aside_documents": ("a salvage", engine(set_aside=3), "", 3),
    "read_only_documents": ("an operator says so", engine(read_only_documents=4), "", 4),
    "read_only": ("an operator says so", engine(read_only=SWITCH), "", 1),
    "scrub_damaged_documents": ("damage is found", scrubbed(damaged=1), "", 1),
    "scrub_finished_timestamp_seconds": ("a pass", scrubbed(finished_ms=5_000), "", 5),
    "event_loop_lag_seconds": ("a long calculation", served(tick_late_s=0.5), "", 0.5),
    "schema_version": ("a migration", engine(schema_version=6), "", 6),
    "commit_duration_seconds": ("commits", engine(commit_s=SEEN), "_count", 100),
    "fsync_duration_seconds": ("commits", engine(fsync_s=SEEN), "_sum", 150),
    "load_duration_seconds": ("loads", engine(load_s=SEEN), "_bucket{le=1.0}", 97),
    "checkpoint_duration_seconds": (
        "checkpoints",
        engine(checkpoint_s=SEEN),
        "_bucket{le=2.0}",
        99,
    ),
    "broadcast_lag_seconds": ("broadcasts", served(broadcast_s=SEEN), "_bucket{le=+Inf}", 100),
    "commit_rows": ("commits", engine(batch_rows=SEEN), "_count", 100),
    "connections": (
        "a reader connects",
        queued(by_permission={Permission.READ: 1}),
        "{permission=read}",
        1,
    ),
    "documents": ("one is deleted", sized(deleted_documents=3), "{state=deleted}", 3),
    "degradations": ("damage is found", damaged, "{trouble=damage}", 1),
    "state": ("damage is found", damaged, "{state=degraded}", 1),
    "build_info": ("an upgrade", process(version="1.1"), "{version=1.1}", 1),
    "checkpoints": ("one fails", engine(checkpoints_failed=1), "_total{result=failed}", 1),
    "trials": (
        "two are tried, one is refused",
        engine(trials_done=2, trials_refused=1),
        "_total{result=passed}",
        1,
    ),
    "connections_closed": ("one is closed", served(closed={4400: 1}), "_total{code=4400}", 1),
    "process_resident_memory_bytes": ("a load", process(memory_bytes=2_000), "", 2_000),
    "process_cpu_seconds": ("work", process(cpu_s=0.75), "_total", 0.75),
    "process_start_time_seconds": ("a restart", process(started_ms=9_500), "", 9.5),
}


def short(row: MetricRow) -> str:
    return row.name.removeprefix("yjs_relay_")


def samples(measured: Measured, accept: str = "") -> Samples:
    encode, _ = metrics_text(accept)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for found in parse_text(encode(measured).decode())
        for sample in found.samples
    }


def key_of(row: MetricRow, suffix: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    ending, _, label = suffix.rstrip("}").partition("{")
    name, _, value = label.partition("=")
    return row.name + ending, ((name, value),) if label else ()


def test_every_metric_has_an_entry_that_says_what_moves_it() -> None:
    assert [short(row) for row in METRICS if short(row) not in MOVES] == []
    assert len(METRICS) == len(MOVES)


@pytest.mark.parametrize("row", METRICS, ids=short)
def test_a_metric_moves(row: MetricRow) -> None:
    words, change, suffix, expected = MOVES[short(row)]
    key = key_of(row, suffix)
    assert samples(BASE).get(key) != expected, "it stood there before anything happened"
    assert samples(change(BASE))[key] == expected, words


def test_there_are_no_others_and_each_says_what_it_is() -> None:
    encode, _ = metrics_text("")
    found = {each.name: each for each in parse_text(encode(BASE).decode())}
    assert found.keys() == {row.name for row in METRICS}
    assert {found[row.name].type for row in METRICS} == {"counter", "gauge", "histogram"}
    assert all(found[row.name].documentation == row.text for row in METRICS)


def test_names_are_by_the_conventions() -> None:
    """Base units at the end, `_total` for counters alone."""
    for row in METRICS:
        assert re.fullmatch(r"(yjs_relay|process)(_[a-z]+)+", row.name)
        assert row.exposed_name.endswith("_total") is (row.kind == "counter")
        assert not re.search(r"_(ms|milliseconds|kib|mib|seconds_bytes)\b", row.name)
    timed = [row.name for row in METRICS if row.kind == "histogram" and "rows" not in row.name]
    assert all(name.endswith("_seconds") for name in timed)


def test_no_label_takes_more_values_than_there_are_words_in_the_code() -> None:
    """However many documents, users and reasons there are."""
    many = tuple(
        Degradation(trouble, f"doc-{number}", f"reason {number}")
        for trouble in Trouble
        for number in range(100)
    )
    world = replace(
        BASE,
        degradations=many,
        hub=replace(HUB, closed={int(code): 1 for code in CloseCode}),
        queues=replace(BASE.queues, by_permission=dict.fromkeys(Permission, 5)),
    )
    labels: dict[str, set[str]] = {}
    for _, found in samples(world):
        for name, value in found:
            labels.setdefault(name, set()).add(value)
    assert labels.keys() <= {row.label for row in METRICS if row.label} | {"le"}
    assert not [value for values in labels.values() for value in values if "doc-" in value]
    assert max(map(len, labels.values())) <= 40
    assert len(samples(world)) < 500


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        (
            "application/openmetrics-text;version=0.0.1;q=0.75",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        ("application/openmetrics-text;version=nonsense", None),
        ("text/plain;version=;;;=", None),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept: str, content_type: str | None) -> None:
    encode, found = metrics_text(accept)
    text = encode(replace(BASE, hub=replace(HUB, broadcast_s=SEEN))).decode()
    assert content_type in (None, found)
    if found.startswith("application/openmetrics-text"):
        assert len(list(parse_openmetrics(text))) == len(METRICS)
        assert text.endswith("# EOF\n")
    else:
        assert len(list(parse_text(text))) == len(METRICS)


# ---- the dashboard -------------------------------------------------------------------------------


def queries() -> list[str]:
    found: list[str] = []

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            found.extend(part[key] for key in ("expr",) if isinstance(part.get(key), str))
            for each in part.values():
                walk(each)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk(json.loads(DASHBOARD.read_text(encoding="utf-8")))
    return found


def test_every_metric_that_the_dashboard_asks_for_exists() -> None:
    exposed = {name for name, _ in samples(damaged(served(closed={1001: 1})(BASE)))}
    asked = {
        name for query in queries() for name in re.findall(r"\b(?:yjs_relay|process)_\w+", query)
    }
    assert len(asked) > 20
    assert asked <= exposed


def test_the_dashboard_asks_for_labels_that_exist() -> None:
    labels = {row.exposed_name: row.label for row in METRICS}
    for query in queries():
        for name, selector in re.findall(r"\b((?:yjs_relay|process)_\w+)\{([^}]*)\}", query):
            asked = set(re.findall(r"(\w+)\s*[=!]", selector)) - {"instance", "job"}
            assert asked <= {labels[name.removesuffix("_bucket")]}, query


def test_each_panel_of_the_dashboard_has_a_title_a_query_and_a_place_of_its_own() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [each for each in dashboard["panels"] if each["type"] != "row"]
    assert len({each["id"] for each in dashboard["panels"]}) == len(dashboard["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        assert panel["targets"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
