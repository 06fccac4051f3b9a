"""How a document is, and why: a table of evidence."""

from dataclasses import replace
from typing import Any

import pytest
from observing import DOCUMENT, LIVE, head

from relay.debug.judging import health_of, mode_of, process_state
from yjs_store import BreakerFacts, Degradation, Trouble
from yjs_store.breaker import BreakerState

JOURNAL = Degradation(Trouble.JOURNAL, "a", "it grows too fast")
REVOCATIONS = Degradation(Trouble.REVOCATIONS, None, "")
STORAGE = Degradation(Trouble.STORAGE, None, "full")
OPEN = BreakerFacts(BreakerState.OPEN, 3, "no proof", 8_000, 20_000)
FAILING = replace(LIVE, failures_in_row=2, error="full")

DAMAGED = "damaged: a row"
POISONED = "it cannot be decoded safely: a struct"
UNSAVED = "edits are not becoming durable: full"
PAUSED = "checkpoints have paused after failures: no proof"
GROWN = "a journal has grown far beyond its bound"


@pytest.mark.parametrize(
    ("facts", "health", "because"),
    [
        ({}, "ok", []),
        ({"live": None}, "ok", []),
        ({"head": None}, "ok", []),
        (
            {"head": head(deleted_ms=1), "damage": "a row", "live": FAILING},
            "deleted",
            ["it was deleted"],
        ),
        ({"damage": "a row"}, "unavailable", [DAMAGED]),
        ({"poisoned": "a struct"}, "unavailable", [POISONED]),
        ({"live": FAILING}, "failing", [UNSAVED]),
        (
            {"live": replace(LIVE, failures_in_row=1)},
            "failing",
            ["edits are not becoming durable: storage refuses them"],
        ),
        ({"live": replace(LIVE, error="full")}, "failing", [UNSAVED]),
        ({"breaker": OPEN}, "degraded", [PAUSED]),
        ({"is_alarming": True}, "degraded", [GROWN]),
        (
            {
                "damage": "a row",
                "poisoned": "a struct",
                "live": FAILING,
                "breaker": OPEN,
                "is_alarming": True,
            },
            "unavailable",
            [DAMAGED, POISONED, UNSAVED, PAUSED, GROWN],
        ),
        ({"live": FAILING, "breaker": OPEN}, "failing", [UNSAVED, PAUSED]),
    ],
)
def test_the_worst_counts_and_every_reason_is_said(
    facts: dict[str, Any], health: str, because: list[str]
) -> None:
    assert health_of(replace(DOCUMENT, **facts)) == (health, because)


def test_a_document_is_fresh_until_something_is_stored() -> None:
    assert mode_of(None) == "fresh"
    assert mode_of(head(last_seq=0)) == "fresh"
    assert mode_of(head(last_seq=1)) == "sql"


@pytest.mark.parametrize(
    ("degradations", "is_draining", "state"),
    [
        ([], False, "ready"),
        ([REVOCATIONS], False, "degraded"),
        ([JOURNAL, STORAGE], False, "failing"),
        ([STORAGE], True, "draining"),
    ],
)
def test_the_process_is_as_its_health_route_says(
    degradations: list[Degradation], is_draining: bool, state: str
) -> None:
    assert process_state(degradations, is_draining=is_draining) == state
