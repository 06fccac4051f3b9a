"""What two replicas must agree in to hold the same."""

from dataclasses import dataclass, field

from yjs_store.facts import ContentFacts
from yjs_store.update_v1 import Ranges


@dataclass(frozen=True, slots=True)
class Content:
    """What two replicas must agree in to hold the same: the clocks of structs and of deletes.

    ``waits`` says that something waits for a predecessor. Then the clocks are read from the
    updates themselves: how far a Doc gets beyond a gap depends on what it was given first.

    ``letters`` stands for what is there and not deleted, letter by letter, read from the updates
    and not from a Doc. Only where there are characters of two units, for there a Doc can lose one.
    """

    structs: Ranges
    deletes: Ranges
    waits: bool
    letters: bytes | None = None
    # What waits, as an update; nothing that must agree: the same can be written in two ways.
    pending_bytes: int = field(default=0, compare=False)


def facts_of(content: Content, seq: int) -> ContentFacts:
    """Return what an operator is told of the content that there is up to a row."""
    return ContentFacts(
        seq=seq,
        clients=len(content.structs),
        clocks=_total(content.structs),
        deleted_clocks=_total(content.deletes),
        pending_bytes=content.pending_bytes,
    )


def _total(ranges: Ranges) -> int:
    return sum(end - start for each in ranges.values() for start, end in each)
