"""yjs_store.observing_format: what is kept for operators comes back as it was, or is damaged."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import Damaged
from yjs_store.facts import AuditRecord, CheckpointRecord, ContentFacts, Switch, TraceEvent
from yjs_store.limits import ACT_FACTS_BYTES_MAX, NOTE_TEXT_MAX
from yjs_store.observing_format import (
    check_act,
    check_checkpoint,
    check_trace,
    seal_act,
    seal_checkpoint,
    seal_switch,
    seal_trace,
    shown_switch,
    sound,
)
from yjs_store.observing_records import StoredNote

NAME = 'a "note"/ä\U0001f600'
NUMBERS = st.integers(0, 2**53)
TEXTS = st.text(max_size=20)
CONTENTS = st.none() | st.builds(ContentFacts, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
CHECKPOINTS = st.builds(
    CheckpointRecord,
    number=st.just(7),
    reason=TEXTS,
    started_ms=NUMBERS,
    duration_ms=st.floats(0, 1e6),
    error=st.none() | TEXTS,
    content=CONTENTS,
    **{
        name: NUMBERS
        for name in CheckpointRecord.__dataclass_fields__
        if name not in ("number", "reason", "started_ms", "duration_ms", "error", "content")
    },
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | TEXTS
TRACES = st.builds(TraceEvent, NUMBERS, TEXTS, st.dictionaries(TEXTS, SCALARS, max_size=4))
ACTS = st.builds(
    AuditRecord,
    number=st.just(7),
    at_ms=NUMBERS,
    by=TEXTS,
    action=TEXTS,
    document=st.none() | TEXTS,
    is_dry_run=st.booleans(),
    result=TEXTS,
    facts=st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
)
SWITCHES = st.builds(Switch, st.none() | TEXTS, TEXTS, TEXTS, NUMBERS)


@given(CHECKPOINTS, TRACES, ACTS, SWITCHES)
def test_what_was_sealed_comes_back(
    checkpoint: CheckpointRecord, trace: TraceEvent, act: AuditRecord, switch: Switch
) -> None:
    stored = replace(seal_checkpoint(NAME, 3, checkpoint), number=7)
    assert stored.document_id == 3
    assert check_checkpoint(NAME, stored) == checkpoint
    assert check_trace(NAME, seal_trace(NAME, 3, trace)) == trace
    assert check_act(replace(seal_act(act), number=7)) == act
    assert shown_switch(switch.document, seal_switch(switch, 3)) == switch


TRACE = TraceEvent(1, "loaded", {"ms": 2.5})
ACT = AuditRecord(0, 1, "ann", "compact", NAME, False, "compacted", {})
SWITCH = Switch(NAME, "moving", "ann", 1)
CHECKPOINT = CheckpointRecord(0, "rows", 1, 2.0, 3, 4, 5, 6, 7, 8, 9, 10, None, None)
KINDS: dict[str, tuple[StoredNote, Callable[[StoredNote], Any]]] = {
    "checkpoint": (
        seal_checkpoint(NAME, 3, CHECKPOINT),
        functools.partial(check_checkpoint, NAME),
    ),
    "trace": (seal_trace(NAME, 3, TRACE), functools.partial(check_trace, NAME)),
    "act": (seal_act(ACT), check_act),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_wrong_bit_is_found(kind: str) -> None:
    stored, check = KINDS[kind]
    for part in ("data", "checksum"):
        whole = getattr(stored, part)
        for bit in range(8 * len(whole)):
            wrong = bytearray(whole)
            wrong[bit // 8] ^= 1 << bit % 8
            with pytest.raises(Damaged):
                check(replace(stored, **{part: bytes(wrong)}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, 7, "text", 0.5, b""])
def test_a_value_of_another_type_is_damage(kind: str, value: Any) -> None:
    stored, check = KINDS[kind]
    for part in ("data", "checksum"):
        with pytest.raises(Damaged):
            check(replace(stored, **{part: value}))


def test_a_record_in_the_place_of_another_is_damage() -> None:
    for kind, (_, check) in KINDS.items():
        for other, (stored, _) in KINDS.items():
            if kind != other:
                with pytest.raises(Damaged):
                    check(stored)
    with pytest.raises(Damaged):
        check_trace("other", seal_trace(NAME, 3, TRACE))
    with pytest.raises(Damaged):
        check_checkpoint("other", seal_checkpoint(NAME, 3, CHECKPOINT))


def test_a_damaged_switch_still_holds() -> None:
    stored = seal_switch(SWITCH, 3)
    for found in (
        shown_switch(NAME, replace(stored, data=stored.data[:-1])),
        shown_switch("other", stored),
        shown_switch(None, stored),
    ):
        assert "its record" in found.reason
        assert found.document in (NAME, "other", None)


def test_damage_hides_no_other_record() -> None:
    stored, check = KINDS["trace"]
    wrong = replace(stored, checksum=b"")
    assert sound(check, [stored, wrong, stored]) == ([TRACE, TRACE], 1)


def test_what_is_long_is_shortened_but_not_a_name() -> None:
    long = "x" * 5000
    act = check_act(seal_act(replace(ACT, by=long, result=long, document=long)))
    assert (len(act.by), len(act.result), act.document) == (NOTE_TEXT_MAX, NOTE_TEXT_MAX, long)
    failed = replace(CHECKPOINT, error=long)
    found = check_checkpoint(long, seal_checkpoint(long, 3, failed))
    assert found.error == long[:NOTE_TEXT_MAX]
    large = check_act(seal_act(replace(ACT, facts={"list": "x" * ACT_FACTS_BYTES_MAX})))
    assert large.facts == {"shortened_from_bytes": ACT_FACTS_BYTES_MAX + len('{"list": ""}')}
