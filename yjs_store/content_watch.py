"""Decides when to look at the content of a live document, which operators are told. Pure."""

import contextlib
from collections.abc import Callable

from yjs_store import crdt
from yjs_store.content import facts_of
from yjs_store.errors import UpdateRefused
from yjs_store.facts import ContentFacts
from yjs_store.limits import CONTENT_FOUND_MS, CONTENT_INLINE_BYTES
from yjs_store.records import Head


class ContentWatch:
    """The looks at one document: where they take no time, and not again and again."""

    __slots__ = ("_looked_ms",)

    def __init__(self) -> None:
        self._looked_ms = 0

    def look(
        self,
        known: ContentFacts | None,
        replica: crdt.Replica,
        head: Head,
        clock_ms: Callable[[], int],
    ) -> ContentFacts | None:
        """Return what is known now; ``replica`` is what is stored under ``head``."""
        if (
            not replica.is_built
            or head.journal_bytes + head.snapshot_bytes > CONTENT_INLINE_BYTES
            or (known is not None and known.seq == head.last_seq)
        ):
            return known
        now_ms = clock_ms()
        if known is not None and now_ms - self._looked_ms < CONTENT_FOUND_MS:
            return known
        self._looked_ms = now_ms
        # Nobody asked for this, so nobody has to hear that it cannot be had.
        with contextlib.suppress(UpdateRefused, crdt.IntegrationFailed):
            return facts_of(replica.content(), head.last_seq)
        return known
