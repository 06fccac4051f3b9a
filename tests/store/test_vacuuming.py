"""yjs_store.vacuuming: room is made only where there is room for that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yjs_store.errors import NoRoom
from yjs_store.facts import StoreSpace
from yjs_store.vacuuming import check_room


def space(file_bytes: int, disk_free_bytes: int) -> StoreSpace:
    return StoreSpace(file_bytes, 0, 0, disk_free_bytes)


def test_a_disk_with_room_for_two_files_and_a_tenth_is_enough() -> None:
    check_room(space(900, 2000))
    check_room(space(0, 0))
    with pytest.raises(NoRoom, match="2000 free bytes; the disk has 1999"):
        check_room(space(900, 1999))


@given(st.integers(1, 2**40))
def test_what_is_said_to_be_needed_is_enough_and_no_more(file_bytes: int) -> None:
    with pytest.raises(NoRoom) as raised:
        check_room(space(file_bytes, 0))
    needed = raised.value.needed_bytes
    check_room(space(file_bytes, needed))
    assert needed * 9 >= 20 * file_bytes > (needed - 1) * 9
    with pytest.raises(NoRoom):
        check_room(space(file_bytes, needed - 1))
