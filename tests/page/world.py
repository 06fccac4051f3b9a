"""A store as the debug routes would tell of it: made up, the same each time, and moved by tests."""

from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, TypeVar

from pydantic import BaseModel

from relay.debug import models

Told = TypeVar("Told", bound=BaseModel)

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
KIB = 1024

# Names that strangers may choose: none may do anything, all must be seen for what they are.
HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>",
    "<script>globalThis.hurt=1</script>",
    "notes/\u202egpj.exe",
    "zero\u200bwidth and a no-break\u00a0space",
    " leading and trailing ",
    "../../etc/passwd",
    "a/b c?d#e%41&f",
    "שלום/יומן",
    "{{7*7}}${7*7}",
    "x" * 300,
    "..",
)
_FOLDERS = ("notes", "wiki", "boards", "meetings", "drafts", "teams/design", "teams/platform")
_WORDS = ("harbour", "ledger", "winter", "granite", "orchard", "signal", "meadow", "copper")
_HEALTHS = ("degraded", "failing", "unavailable", "deleted")
_WHY = {
    "degraded": ["checkpoints have paused after failures: the candidate is not equal"],
    "failing": ["storage refuses to write: disk I/O error"],
    "unavailable": ["row 118 does not match its checksum"],
    "deleted": ["deleted"],
}


def percentiles(p50: float, count: int = 4200) -> models.Percentiles:
    return models.Percentiles(p50=p50, p90=p50 * 1.8, p99=p50 * 4.5, count=count, mean=p50 * 1.2)


def breaker(state: str = "closed", **facts: Any) -> models.Breaker:
    known = {"failures_in_row": 0, "reason": None, "since_ms": None, "trial_ms": None}
    return models.Breaker.model_validate({"state": state, **known, **facts})


def summary(name: str, number: int, health: str = "ok") -> models.DocumentSummary:
    """A document that its number makes up."""
    random = Random(number)
    rows = random.choice((0, 3, 17, 60, 240, 900))
    cut = random.randrange(200, 40_000)
    is_live = number % 11 == 0
    level = random.choice((0, 0, 2, 8)) if is_live else 0
    return models.DocumentSummary.model_validate(
        {
            "name": name,
            "mode": "sql",
            "health": health,
            "because": _WHY.get(health, []),
            "last_seq": cut + rows,
            "cut_seq": cut,
            "journal": {"rows": rows, "bytes": rows * 190, "is_alarming": False},
            "snapshot_bytes": int(KIB * 10 ** random.uniform(0.2, 3.1)),
            "created_ms": NOW_MS - random.randrange(2, 400) * DAY_MS,
            "updated_ms": NOW_MS - (2_000 if level else int(1000 * 10 ** random.uniform(2.6, 6))),
            "deleted_ms": NOW_MS - DAY_MS if health == "deleted" else None,
            "is_live": is_live,
            "connection_count": random.randrange(1, 6) if is_live else 0,
            "writes": [int(level * random.random() * 12) for _ in range(30)],
        }
    )


def checkpoint(number: int, random: Random, *, failed: bool = False) -> dict[str, Any]:
    snapshot = 90_000 + number * 6_500
    return {
        "number": number,
        "reason": random.choice(("rows", "bytes", "rows", "an operator")),
        "started_ms": NOW_MS - (60 - number) * 3_400_000,
        "duration_ms": 8 + random.random() * 40,
        "result": "failed" if failed else "published",
        "error": "the candidate is not equal: state vector" if failed else None,
        "cut_seq": number * 1000,
        "journal_rows_before": 1000,
        "journal_rows_after": 3,
        "journal_bytes_before": random.randrange(60_000, 260_000),
        "journal_bytes_after": random.randrange(0, 900),
        "snapshot_bytes_before": snapshot - 6_500,
        "snapshot_bytes_after": snapshot,
        "stored_bytes_after": snapshot // 3,
    }


def connection(number: int, **facts: Any) -> dict[str, Any]:
    known = {
        "id": number,
        "user": ("ada", "grace", "", "linus@example.org")[number % 4],
        "session": f"session-{number}",
        "peer": f"192.0.2.{number}:5{number:04}",
        "permission": ("write", "read", "admin")[number % 3],
        "joined_ms": NOW_MS - number * 61_000,
        "queued_frames": 0,
        "queued_bytes": 0,
        "lag_ms": 0.0,
        "is_collapsed": False,
        "unsaved_updates": 0,
        "awareness_clients": 1,
    }
    return known | facts


def document(listed: models.DocumentSummary) -> models.Document:
    """Everything about a document of the list."""
    random = Random(listed.last_seq)
    is_stored = listed.health != "deleted"
    facts = listed.model_dump() | {
        "oversized_count": 2,
        "snapshot": {
            "id": 318,
            "cut_seq": listed.cut_seq,
            "raw_bytes": listed.snapshot_bytes,
            "stored_bytes": max(40, listed.snapshot_bytes // 3),
            "chunks": 1 + listed.snapshot_bytes // (256 * KIB),
            "codecs": ["zstd"],
            "checksum": "9f2c4be1d07a5583c1f0e64b77a1d2f9",
            "created_ms": NOW_MS - 3_400_000,
            "age_ms": 3_400_000,
        }
        if is_stored
        else None,
        "content": {
            "seq": listed.cut_seq,
            "clients": 37,
            "clocks": 48_210,
            "deleted_clocks": 15_005,
            "deleted_share": 15_005 / 48_210,
            "pending_bytes": 0,
        },
        "checkpoints": [
            checkpoint(number, random, failed=listed.health == "degraded" and number > 22)
            for number in range(24, 0, -1)
        ],
        "breaker": breaker().model_dump(),
        "quarantined": 0,
        "is_unvouched": False,
        "read_only": None,
        "migration": {"status": "fresh", "source": None},
        "live": live(listed) if listed.is_live else None,
        "traces": [trace(number) for number in range(40)],
        "traces_dropped": 112,
        "unreadable": [],
    }
    if listed.health == "degraded":
        facts["breaker"] = breaker(
            "open",
            failures_in_row=2,
            reason="the candidate is not equal: state vector",
            since_ms=NOW_MS - 90_000,
            trial_ms=NOW_MS + 34_000,
        ).model_dump()
        facts["quarantined"] = 2
    return models.Document.model_validate(facts)


def live(listed: models.DocumentSummary) -> dict[str, Any]:
    people = [connection(number) for number in range(1, listed.connection_count + 1)]
    people.append(
        connection(9, user="slow\u202ereader", queued_frames=212, queued_bytes=940_000,
                   lag_ms=4_300.0, is_collapsed=True, unsaved_updates=7)
    )  # fmt: skip
    return {
        "loaded_ms": NOW_MS - 1_800_000,
        "load_duration_ms": 6.4,
        "users": 1,
        "saving": {
            "last_durable_seq": listed.last_seq,
            "last_saved_ms": NOW_MS - 1_200,
            "last_save_duration_ms": 1.9,
            "saves": 412,
            "failures_in_row": 0,
            "waiting_updates": 0,
            "waiting_bytes": 0,
            "in_flight_updates": 0,
            "on_trial_updates": 0,
            "error": None,
        },
        "awareness_clients": 4,
        "connections": people,
        "connection_count": len(people),
    }


def trace(number: int) -> dict[str, Any]:
    events: tuple[tuple[str, dict[str, Any]], ...] = (
        ("loaded", {"duration_ms": 6.4, "rows": 17}),
        ("checkpoint published", {"cut_seq": 24_000, "snapshot_bytes": 240_300}),
        ("update refused", {"reason": "<b>malformed</b>", "sender": "ada", "byte_length": 81}),
        ("storage refused", {"error": "database or disk is full", "failures_in_row": 1}),
    )
    event, facts = events[number % len(events)]
    return {"at_ms": NOW_MS - (40 - number) * 37_000, "event": event, "facts": facts}


def storage() -> models.Storage:
    """A store that is well."""
    return models.Storage.model_validate(
        {
            "at_ms": NOW_MS,
            "backend": "sqlite",
            "schema_version": 5,
            "process": {
                "version": "0.1.0",
                "pid": 4711,
                "started_ms": NOW_MS - 3 * DAY_MS - 14_000_000,
                "uptime_ms": 3 * DAY_MS + 14_000_000,
                "state": "ready",
                "memory_bytes": 148 * KIB * KIB,
                "connections": 34,
                "rooms": 12,
                "open_documents": 28,
                "frames_received": 18_402_118,
                "broadcast_lag_ms": percentiles(0.4),
                "event_loop_lag_ms": 0.7,
            },
            "sizes": {
                "documents": 10_000,
                "deleted_documents": 31,
                "journal_rows": 482_100,
                "journal_bytes": 91_000_000,
                "snapshot_bytes": 612_000_000,
                "file_bytes": 842_000_000,
                "wal_bytes": 4_100_000,
                "free_bytes": 61_000_000,
            },
            "commits": {
                "commits": 912_004,
                "rows": 2_204_117,
                "updates": 14_820_331,
                "update_bytes": 611_000_000,
                "refused": 18,
                "per_s": 96.4,
                "updates_per_s": 412.0,
                "batch_rows": percentiles(2, 912_004),
                "duration_ms": percentiles(1.6, 912_004),
                "fsync_ms": percentiles(1.1, 912_004),
                "queue": 3,
                "failures_in_row": 0,
                "failing_since_ms": None,
                "failing_because": None,
            },
            "load_ms": percentiles(4.2),
            "checkpoints": {
                "published": 2_204,
                "failed": 0,
                "due": 2,
                "duration_ms": percentiles(18),
                "breaker": breaker().model_dump(),
            },
            "scrubber": {
                "passes": 6,
                "documents": 6_210,
                "bytes": 380_000_000,
                "started_ms": NOW_MS - 5_400_000,
                "finished_ms": NOW_MS - 5_500_000,
                "damaged": 0,
            },
            "trials": {"waiting_bytes": 0, "done": 3_112, "refused": 4, "processes_died": 1},
            "quarantined": 5,
            "sessions": 41,
            "unvouched": 3,
            "set_aside": 1,
            "read_only": None,
            "read_only_documents": 2,
            "traces_dropped": 480,
            "degradations": [],
            "configuration": {
                "host": "127.0.0.1",
                "port": 1234,
                "store": "sqlite:///./data/relay.db",
                "auth": "token",
                "admin_token_file": "(hidden)",
                "echo": True,
                "scrub_mib_per_s": 4.0,
            },
        }
    )


def failing(found: models.Storage) -> models.Storage:
    """The same store on a disk that takes no writes."""
    return changed(
        found,
        process={"state": "failing"},
        commits={
            "failures_in_row": 14,
            "failing_since_ms": NOW_MS - 48_000,
            "failing_because": "database or disk is full",
            "queue": 12,
            "updates_per_s": 0.0,
        },
        degradations=[
            {
                "trouble": "checkpoints have paused after failures",
                "document": "notes/harbour-0",
                "reason": "the candidate is not equal: state vector",
                "since_ms": NOW_MS - 90_000,
                "trial_ms": NOW_MS + 34_000,
            },
            {
                "trouble": "storage does not take writes",
                "document": None,
                "reason": "database or disk is full",
                "since_ms": NOW_MS - 48_000,
                "trial_ms": None,
            },
            {
                "trouble": "stored documents are damaged",
                "document": HOSTILE_NAMES[0],
                "reason": "row 118 does not match its checksum",
                "since_ms": NOW_MS - 7_000_000,
                "trial_ms": None,
            },
        ],
    )


def changed(found: Told, **changes: Any) -> Told:
    """A copy of a model with other values; a dict changes some of what stands there."""
    facts = found.model_dump()
    for key, value in changes.items():
        is_part = isinstance(value, dict) and isinstance(facts[key], dict)
        facts[key] = facts[key] | value if is_part else value
    return type(found).model_validate(facts)


@dataclass
class World:
    """Everything that the routes tell, and what they were asked to do."""

    storage: models.Storage = field(default_factory=storage)
    documents: dict[str, models.Document] = field(default_factory=dict)
    listed: list[models.DocumentSummary] = field(default_factory=list)
    token: str | None = None
    is_open: bool = False  # to who has no token, to look
    may_act: bool = True
    done: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refusal: str | None = None  # of the next act that is not only looked at
    sessions: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    has_stream: bool = True

    def document(self, name: str) -> models.Document | None:
        if name not in self.documents:
            listed = next((each for each in self.listed if each.name == name), None)
            if listed is None:
                return None
            self.documents[name] = document(listed)
        return self.documents[name]

    def change(self, name: str, **changes: Any) -> None:
        """Change what is told of a document."""
        found = self.document(name)
        assert found is not None
        self.documents[name] = changed(found, **changes)


def session(document: str, number: int, **facts: Any) -> dict[str, Any]:
    """A session of a document, as the admin routes list it."""
    known = {
        "session": f"session-{number}",
        "user": ("grace", "", "linus@example.org", "ada")[number % 4],
        "document": document,
        "permission": ("write", "read", "admin")[number % 3],
        "status": "active",
        "details": {"address": f"192.0.2.{number}"},
        "created_ms": NOW_MS - number * 61_000,
        "updated_ms": NOW_MS - number * 61_000,
        "expires_ms": NOW_MS + number * 3_600_000,
    }
    return known | facts


def make_world() -> World:
    return World(listed=list(_listed(10_000)))


@cache
def _listed(count: int) -> tuple[models.DocumentSummary, ...]:
    listed = [summary(name, 7 * i + 3) for i, name in enumerate(HOSTILE_NAMES)]
    for number in range(count - len(listed)):
        word = _WORDS[number % len(_WORDS)]
        name = f"{_FOLDERS[number % len(_FOLDERS)]}/{word}-{number}"
        is_well = number % 997 != 0
        health = "ok" if is_well else _HEALTHS[number // 997 % len(_HEALTHS)]
        found = summary(name, number, health)
        if health == "deleted":
            found = changed(found, journal={"rows": 0, "bytes": 0}, snapshot_bytes=0)
        listed.append(found)
    return tuple(sorted(listed, key=lambda each: each.name))
