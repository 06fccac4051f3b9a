"""yjs_store.mending: what stands within no type is collected, and all else stays as it is."""

import pytest

from yjs_store import UpdateRefused, crdt
from yjs_store.mending import mend

from .editing import letters, read
from .poison import CHILD_OF_A_LETTER, LETTER, nested_types, one_key_each
from .update_builder import delete_set, deleted, item, run, shared_type, update, values

KEY = item(values(b"\x7d\x01"), parent=(7, 0), key="k")
CHILD = update(run(8, 0, [KEY, KEY]), deletes=delete_set((9, [(0, 1)])))


@pytest.mark.parametrize(
    "sound",
    [
        [],
        letters("abc"),
        [nested_types(50), one_key_each(20, 5)],
        [CHILD],
        [CHILD, update(run(7, 0, [item(shared_type(1), parent="root")]))],
        [CHILD, update(run(7, 0, [item(deleted(3), parent="root")]))],
    ],
)
def test_what_is_sound_stays_byte_for_byte(sound: list[bytes]) -> None:
    assert mend(sound) == sound


def test_what_stands_within_a_letter_is_collected_and_keeps_its_clocks() -> None:
    mended = mend([CHILD, LETTER])
    assert mended == [update(b"\x02\x08\x00\x00\x01\x00\x01", deletes=CHILD[-5:]), LETTER]
    assert mend(mended) == mended


@pytest.mark.parametrize("order", [[CHILD_OF_A_LETTER, LETTER], [LETTER, CHILD_OF_A_LETTER]])
def test_a_replica_reads_it_as_stock_clients_do(order: list[bytes]) -> None:
    replica = crdt.Replica(order)
    assert crdt.parse_state_vector(replica.state_vector()) == {7: 1, 8: 1}
    assert replica.pending() == crdt.EMPTY_UPDATE


def test_what_is_within_a_longer_text_is_found() -> None:
    text = letters("abc", 7)
    child = update(run(8, 0, [item(values(b"\x7e"), parent=(7, 2), key="k")]))
    replica = crdt.Replica([child, crdt.merge(text)])
    assert read(replica.diff(crdt.EMPTY_STATE_VECTOR)).text == "abc"


def test_what_is_no_update_is_refused() -> None:
    with pytest.raises(UpdateRefused):
        mend([b"\x05\x05\x07\x00"])
