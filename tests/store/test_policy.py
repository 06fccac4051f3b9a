"""yjs_store.policy: when a checkpoint is due."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import CheckpointPolicy, Head
from yjs_store.heads import fresh_head
from yjs_store.limits import MIB
from yjs_store.policy import checkpoint_due, is_alarming

POLICY = CheckpointPolicy(rows_max=10, rows_per_snapshot_mib=100, bytes_min=1000)

EMPTY = replace(fresh_head("n", bytes(16)), document_id=1)


def head(rows: int, journal_bytes: int, snapshot_bytes: int = 0) -> Head:
    return replace(
        EMPTY,
        last_seq=40 + rows,
        cut_seq=40,
        journal_bytes=journal_bytes,
        snapshot_bytes=snapshot_bytes,
    )


@pytest.mark.parametrize(
    ("rows", "journal_bytes", "snapshot_bytes", "reason"),
    [
        (0, 0, 0, None),
        (9, 999, 0, None),
        (10, 0, 0, "rows"),
        (9, 1000, 0, "bytes"),
        (10, 1000, 0, "rows"),
        (9, 1000, 1001, None),
        (9, 1001, 1001, "bytes"),
        (109, 0, MIB, None),
        (110, 0, MIB, "rows"),
        (110, 0, MIB + MIB // 50, None),
    ],
)
def test_a_checkpoint_is_due_at_its_bounds(
    rows: int, journal_bytes: int, snapshot_bytes: int, reason: str | None
) -> None:
    assert checkpoint_due(head(rows, journal_bytes, snapshot_bytes), POLICY) == reason


@given(st.integers(0, 10**12))
def test_a_checkpoint_is_never_due_without_rows(snapshot_bytes: int) -> None:
    assert checkpoint_due(head(0, 0, snapshot_bytes), CheckpointPolicy()) is None


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**9))
def test_more_journal_never_makes_a_checkpoint_less_due(
    snapshot_bytes: int, rows: int, journal_bytes: int
) -> None:
    if checkpoint_due(head(rows, journal_bytes, snapshot_bytes), POLICY) is not None:
        assert checkpoint_due(head(rows + 1, journal_bytes, snapshot_bytes), POLICY) is not None
        assert checkpoint_due(head(rows, journal_bytes + 1, snapshot_bytes), POLICY) is not None


def test_what_checkpoints_write_is_a_small_multiple_of_what_was_accepted() -> None:
    update_bytes, accepted, written = 1000, 0, 0
    document = head(0, 0)
    while accepted < 50 * MIB:
        accepted += update_bytes
        document = replace(
            document,
            last_seq=document.last_seq + 1,
            journal_bytes=document.journal_bytes + update_bytes,
        )
        if checkpoint_due(document, CheckpointPolicy()) is not None:
            # Nothing folds away: the worst case.
            written += accepted
            document = head(0, 0, accepted)
    assert written <= 3 * accepted


@pytest.mark.parametrize("snapshot_bytes", [10_000, MIB, 50 * MIB, 1000 * MIB])
def test_lone_keystrokes_are_not_what_checkpoints_are_paid_with(snapshot_bytes: int) -> None:
    """A keystroke a second into 50 MB: checkpoints add a part to what its rows write anyway.

    A row writes some 13,500 bytes and a checkpoint as many as the snapshot has.
    """
    rows = next(
        rows
        for rows in itertools.count(0, 100)
        if checkpoint_due(head(rows, 20 * rows, snapshot_bytes), CheckpointPolicy())
    )
    assert snapshot_bytes <= 0.2 * 13_500 * rows
    assert rows <= 1100 + 500 * snapshot_bytes / MIB


def test_the_bounds_differ_a_little_from_document_to_document() -> None:
    """A thousand documents that are edited alike do not become due at once."""
    due_at = {
        next(
            rows
            for rows in itertools.count()
            if checkpoint_due(replace(head(rows, 0), uid=bytes([first]) * 16), POLICY)
        )
        for first in range(256)
    }
    assert due_at == {10, 11, 12, 13}


@pytest.mark.parametrize(
    ("rows", "journal_bytes", "is_alarm"),
    [(99, 9999, False), (100, 0, True), (0, 10_000, True)],
)
def test_a_journal_far_beyond_its_bounds_is_alarming(
    rows: int, journal_bytes: int, is_alarm: bool
) -> None:
    """Field note 10."""
    assert is_alarming(head(rows, journal_bytes), POLICY) is is_alarm
