"""The only maker and parser of stored entries of the quarantine."""

import hashlib
import struct
from dataclasses import replace

from yjs_store import format
from yjs_store.limits import QUARANTINE_ENTRY_BYTES_MAX, QUARANTINE_TEXT_MAX
from yjs_store.records import QuarantineEntry, StoredEntry

_facts = struct.Struct("<qqqqqqq").pack


def make_entry(
    document: str, update: bytes, reason: str, sender: str, now_ms: int
) -> QuarantineEntry:
    """Return the entry for an update that was refused; it has no id yet."""
    return QuarantineEntry(
        entry_id=0,
        document=document,
        reason=_text(reason),
        sender=_text(sender),
        created_ms=now_ms,
        seen_ms=now_ms,
        seen_count=1,
        byte_length=len(update),
        hash=hashlib.sha256(update).digest(),
        data=update if len(update) <= QUARANTINE_ENTRY_BYTES_MAX else None,
    )


def _text(text: str) -> str:
    """Cut to its bound, and to what can be stored: a client may have a hand in it."""
    return text[:QUARANTINE_TEXT_MAX].encode(errors="replace").decode()


def seal_entry(entry: QuarantineEntry) -> StoredEntry:
    """Return the entry with the checksum over all its facts but the backend's own key."""
    return StoredEntry(entry, _checksum(entry))


def seen_again(stored: StoredEntry, entry: QuarantineEntry) -> StoredEntry | None:
    """Return what is stored when an update that is there comes again; None if that is damaged."""
    former = shown_entry(stored)
    if former.problem is not None:
        return None
    return seal_entry(
        replace(
            former,
            sender=entry.sender,
            reason=entry.reason,
            seen_ms=entry.seen_ms,
            seen_count=former.seen_count + 1,
        )
    )


def shown_entry(stored: StoredEntry) -> QuarantineEntry:
    """Return the entry; ``problem`` says when it is not what was written (P4)."""
    entry = stored.entry
    try:
        if stored.checksum != _checksum(entry):
            return _remains(entry, "its checksum does not match")
        if entry.data is not None and hashlib.sha256(entry.data).digest() != entry.hash:
            return _remains(entry, "its bytes do not match their hash")
    except (TypeError, AttributeError, ValueError, struct.error) as error:
        # A value of another type, or text that is no text any more.
        return _remains(entry, f"its values are not of their types: {error}")
    return entry


def _remains(entry: QuarantineEntry, problem: str) -> QuarantineEntry:
    """Return what a damaged entry shows of itself."""
    return QuarantineEntry(
        entry_id=entry.entry_id,
        document=str(entry.document),
        reason=str(entry.reason),
        sender=str(entry.sender),
        created_ms=_number(entry.created_ms),
        seen_ms=_number(entry.seen_ms),
        seen_count=_number(entry.seen_count),
        byte_length=_number(entry.byte_length),
        hash=_bytes(entry.hash),
        data=None,
        problem=problem,
    )


def _number(found: object) -> int:
    return found if isinstance(found, int) else 0


def _bytes(found: object) -> bytes:
    return found if isinstance(found, bytes) else b""


def _checksum(entry: QuarantineEntry) -> bytes:
    # Not over the data, which its hash is a proof of: a list is verified without reading it.
    parts = [entry.document.encode(), entry.reason.encode(), entry.sender.encode(), entry.hash]
    facts = _facts(
        entry.created_ms,
        entry.seen_ms,
        entry.seen_count,
        entry.byte_length,
        *map(len, parts[:3]),
    )
    return format.digest(b"Q", b"", facts, b"".join(parts))
