"""Whether there is room to make room. Pure."""

from yjs_store.errors import NoRoom
from yjs_store.facts import StoreSpace
from yjs_store.limits import VACUUM_FILES, VACUUM_FREE_PERCENT


def check_room(space: StoreSpace) -> None:
    """Return when the disk takes a vacuum, with a share of its free room left to others.

    Raises:
        NoRoom: it does not.
    """
    # Rounded up: not one byte too few.
    needed = -(-VACUUM_FILES * space.file_bytes * 100 // (100 - VACUUM_FREE_PERCENT))
    if space.disk_free_bytes < needed:
        raise NoRoom(needed, space.disk_free_bytes)
