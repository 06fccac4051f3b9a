"""What a client is told of an error of the store: for good or for a while, and no secrets."""

import pytest

from relay.endings import ending_for
from yjs_store import (
    Damaged,
    DocumentDeleted,
    DocumentFailed,
    DocumentMissing,
    FoldFailed,
    NameRefused,
    Poisoned,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFailing,
    StoreFull,
    TrialFailed,
    TrialsFull,
    UpdateRefused,
    UpdateTooLarge,
    WriterSuperseded,
)

PATH = "/var/lib/relay/relay.db"

ERRORS: list[tuple[StoreError, int]] = [
    (UpdateRefused("not a Yjs update"), 4422),
    (UpdateTooLarge("the update", 70_000_000, 67_108_864), 4413),
    (NameRefused("the document name is empty"), 4400),
    (DocumentDeleted("doc"), 4410),
    (Damaged("doc", "row 3 of " + PATH, "checksum a", "b"), 4502),
    (Poisoned("doc", f"it ended with SIGSEGV at {PATH}"), 4502),
    (TrialsFull(f"at {PATH}"), 4529),
    (TrialFailed("doc", PATH), 4500),
    (FoldFailed("doc", f"the fold process ended with SIGKILL at {PATH}"), 4500),
    (StoreBusy(f"{PATH} is locked by another process"), 4503),
    (StoreFull(f"no room left on the disk of {PATH}"), 4503),
    (StoreFailing(f"{PATH}: disk I/O error"), 4503),
    (DocumentFailed("doc", f"a panic at {PATH}"), 4500),
    (WriterSuperseded("doc"), 4500),
    (WriterSuperseded(None), 4500),
    (DocumentMissing("doc"), 4500),
    (StoreClosed(PATH), 4500),
    (StoreError(PATH), 4500),
]


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_each_error_has_its_code_and_a_reason_in_words(error: StoreError, code: int) -> None:
    found, reason = ending_for(error)
    assert found == code
    assert reason


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_whatever_may_be_tried_again_has_a_transient_code(error: StoreError, code: int) -> None:
    if error.retry_safe:
        assert 4500 <= ending_for(error)[0] <= 4599
    if isinstance(error, UpdateRefused | NameRefused | DocumentDeleted):
        assert 4400 <= ending_for(error)[0] <= 4499


@pytest.mark.parametrize("error", [error for error, _ in ERRORS])
def test_a_client_is_not_told_where_the_server_keeps_its_files(error: StoreError) -> None:
    assert PATH not in ending_for(error)[1]


@pytest.mark.parametrize("error", [UpdateRefused("not a Yjs update"), NameRefused("no name")])
def test_a_client_is_told_what_was_wrong_with_what_it_sent(error: StoreError) -> None:
    assert ending_for(error)[1] == str(error)
