"""yjs_store.waiting: what waits for a predecessor is found, however many clients there are."""

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import crdt, waiting
from yjs_store.limits import LONG_STATE_BYTES, LONG_STATE_UPDATES
from yjs_store.update_v1 import write_deletes

from .histories import delivered_histories

CLIENTS = 5_000


def many_clients() -> bytes:
    """One letter of each, in an array of its own place."""
    structs = [
        b"\x01" + (128 + n % 128).to_bytes() + (128 + n // 128).to_bytes() + b"\x01\x00"
        b"\x28\x01\x01m\x02" + f"{n:02x}"[-2:].encode() + b"\x01\x7e"
        for n in range(CLIENTS)
    ]
    count = bytes([128 + CLIENTS % 128, CLIENTS // 128])
    return count + b"".join(structs) + b"\x00"


def letter(clock: int) -> bytes:
    return b"\x01\x01\x07" + bytes([clock]) + b"\x04\x01\x01t\x01x\x00"


@pytest.fixture
def doc() -> pycrdt.Doc:
    doc: pycrdt.Doc = pycrdt.Doc(skip_gc=True)
    doc.apply_update(many_clients())
    assert len(doc.get_state()) > LONG_STATE_BYTES
    return doc


def test_all_clients_are_read_once_and_not_for_each_update(
    doc: pycrdt.Doc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by tools/fuzz_relay: with 60,000 clients 256 deletes took 9 s."""
    letters = [letter(clock) for clock in range(LONG_STATE_UPDATES)]
    deletes = [write_deletes({7: [(clock, clock + 1)]}) for clock in range(LONG_STATE_UPDATES)]
    for update in (*letters, *deletes):
        doc.apply_update(update)
    read: list[int] = []
    parse, diff = waiting.parse_state_vector, waiting.diff

    def parse_noting(state_vector: bytes) -> dict[int, int]:
        read.append(len(state_vector))
        return parse(state_vector)

    def diff_noting(update: bytes, state_vector: bytes) -> bytes:
        read.append(len(state_vector))
        return diff(update, state_vector)

    monkeypatch.setattr(waiting, "parse_state_vector", parse_noting)
    monkeypatch.setattr(waiting, "diff", diff_noting)
    assert waiting.integrate_waiting(doc, [*letters, *deletes]) == crdt.EMPTY_UPDATE
    assert len([length for length in read if length > LONG_STATE_BYTES]) == 1


def test_what_waits_is_found_among_many_clients(doc: pycrdt.Doc) -> None:
    early = [letter(clock) for clock in range(1, LONG_STATE_UPDATES)]
    gone = write_deletes({7: [(LONG_STATE_UPDATES, LONG_STATE_UPDATES + 1)]})
    for update in (*early, gone):
        doc.apply_update(update)
    waits = waiting.integrate_waiting(doc, [*early, gone])
    assert waits == crdt.merge([*early, gone])
    doc.apply_update(letter(0))
    assert waiting.integrate_waiting(doc, [waits, *early, letter(0), gone]) == gone


@given(delivered_histories(), st.data())
def test_how_it_is_found_makes_no_difference(
    history: tuple[list[bytes], list[bytes]], data: st.DataObject
) -> None:
    updates, arrived = history
    late = data.draw(st.sets(st.sampled_from(updates), max_size=5))
    early = [update for update in arrived if update not in late]

    def pending() -> list[bytes]:
        replica = crdt.Replica(early[::2])
        for update in early[1::2]:
            replica.integrate(update)
        found = [replica.pending()]
        for update in late:
            replica.integrate(update)
            found.append(replica.pending())
        return found

    usual = pending()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "LONG_STATE_BYTES", 0)
        patch.setattr(waiting, "LONG_STATE_UPDATES", 0)
        assert pending() == usual
