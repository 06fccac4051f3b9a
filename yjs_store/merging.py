"""Puts updates together, and cuts one in pieces that a Doc takes in quickly."""

from collections.abc import Sequence

from yjs_store.clocks import EMPTY_UPDATE, check_count
from yjs_store.decoder import merge_uncut
from yjs_store.errors import UpdateRefused
from yjs_store.halves import heal_all, heal_overlaps
from yjs_store.limits import SLICE_STRUCTS
from yjs_store.plain_updates import is_plain
from yjs_store.slicing import slices


def merge(updates: Sequence[bytes], *, are_plain: bool = False) -> bytes:
    """Return one update with the content of all, pending structs and deletes included.

    That all ``are_plain``, as ``is_plain`` knows them, need not be said; it takes less time then.

    Raises:
        UpdateRefused: at least one does not decode.
    """
    if not updates:
        return EMPTY_UPDATE
    # One byte tells for all but the largest that there is no number to look at.
    if max(updates)[:1] >= b"\x80":
        for update in updates:
            check_count(update)
    # The decoder loses what is left of a character when a struct ends within it.
    return merge_uncut(heal_overlaps(updates), are_plain=are_plain)


def cut(update: bytes) -> list[bytes]:
    """Return the content of an update in pieces, in an order that integrates each in a moment.

    A Doc joins the structs of one update in time quadratic to their number; what an update
    deletes takes its time, too, and a few bytes delete everything.
    """
    if is_plain(update):
        return [update]
    try:
        return slices(update, SLICE_STRUCTS)
    except UpdateRefused:
        # Stored by a version that took what this one refuses: as slow as it was then.
        return [update]


def readable(update: bytes) -> list[bytes]:
    """Return an update in pieces that a plain Doc takes in a moment each, for people to read.

    Of a character of which somebody has cut a half there is U+FFFD.
    """
    return heal_all(cut(update))[0]
