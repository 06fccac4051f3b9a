"""The only maker and parser of what is kept for operators: JSON and its checksum.

Each kind has a byte of its own in the checksum, and says in its JSON which document it is about:
what stands in the wrong place is damage, too (P4).
"""

import json
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, TypeVar

from yjs_store import format
from yjs_store.errors import Damaged
from yjs_store.facts import AuditRecord, CheckpointRecord, ContentFacts, Switch, TraceEvent
from yjs_store.limits import ACT_FACTS_BYTES_MAX, NOTE_TEXT_MAX
from yjs_store.observing_records import StoredNote

_Record = TypeVar("_Record")

_CHECKPOINT: Final = b"K"
_TRACE: Final = b"T"
_ACT: Final = b"A"
_SWITCH: Final = b"W"

_length = struct.Struct("<q").pack


# ---- checkpoints --------------------------------------------------------------------------------


def seal_checkpoint(document: str, document_id: int, record: CheckpointRecord) -> StoredNote:
    """Return the attempt as it is stored; its number is the backend's."""
    facts = asdict(record)
    del facts["number"]
    return _seal(_CHECKPOINT, document_id, {"document": document, **facts})


def check_checkpoint(document: str, note: StoredNote) -> CheckpointRecord:
    """Return the attempt.

    Raises:
        Damaged: it is not what was written of this document (P4).
    """
    facts = _check(_CHECKPOINT, document, note)
    try:
        content = facts.pop("content")
        found = None if content is None else ContentFacts(**content)
        return CheckpointRecord(number=note.number, content=found, **facts)
    except (KeyError, TypeError) as error:
        raise _damaged(document, note, "the facts of a checkpoint", str(error)) from error


# ---- traces -------------------------------------------------------------------------------------


def seal_trace(document: str, document_id: int, event: TraceEvent) -> StoredNote:
    """Return the event as it is stored."""
    return _seal(_TRACE, document_id, {"document": document, **asdict(event)})


def check_trace(document: str, note: StoredNote) -> TraceEvent:
    """Return the event.

    Raises:
        Damaged: it is not what was written of this document (P4).
    """
    return _made(TraceEvent, document, note, _check(_TRACE, document, note))


# ---- acts ---------------------------------------------------------------------------------------


def seal_act(record: AuditRecord) -> StoredNote:
    """Return the act as it is stored; its number is the backend's.

    Of particulars above ACT_FACTS_BYTES_MAX only the length is kept.
    """
    facts = asdict(record)
    del facts["number"]
    length = len(json.dumps(record.facts))
    if length > ACT_FACTS_BYTES_MAX:
        facts["facts"] = {"shortened_from_bytes": length}
    return _seal(_ACT, 0, facts)


def check_act(note: StoredNote) -> AuditRecord:
    """Return the act.

    Raises:
        Damaged: it is not what was written (P4).
    """
    facts = _parse(_ACT, "*", note)
    return _made(AuditRecord, "*", note, {**facts, "number": note.number})


# ---- switches -----------------------------------------------------------------------------------


def seal_switch(switch: Switch, document_id: int) -> StoredNote:
    """Return the switch as it is stored; ``document_id`` is 0 for that of the store."""
    return _seal(_SWITCH, document_id, asdict(switch))


def shown_switch(document: str | None, note: StoredNote) -> Switch:
    """Return the switch of this document, or of the store.

    One that is damaged still holds: what must not be written to is not for a wrong bit to decide.
    """
    try:
        facts = _parse(_SWITCH, document or "*", note)
        switch = _made(Switch, document or "*", note, facts)
    except Damaged as error:
        return Switch(document, f"its record is damaged: {error.problem}", "", 0)
    if switch.document != document:
        return Switch(document, f"its record is that of {switch.document!r}", "", 0)
    return switch


# ---- all ----------------------------------------------------------------------------------------


def sound(
    check: Callable[[StoredNote], _Record], notes: Iterable[StoredNote]
) -> tuple[list[_Record], int]:
    """Return what is read of all these, and how many are damaged: those hide no other."""
    records: list[_Record] = []
    damaged = 0
    for note in notes:
        try:
            records.append(check(note))
        except Damaged:
            damaged += 1
    return records, damaged


def _seal(kind: bytes, document_id: int, facts: Mapping[str, object]) -> StoredNote:
    shortened = {key: _shortened(value) for key, value in facts.items() if key != "document"}
    if "document" in facts:
        shortened["document"] = facts["document"]
    # ASCII: whatever a text holds can be stored.
    data = json.dumps(shortened, sort_keys=True).encode()
    return StoredNote(data, _checksum(kind, data), document_id)


def _shortened(value: object) -> object:
    return value[:NOTE_TEXT_MAX] if isinstance(value, str) else value


def _checksum(kind: bytes, data: bytes) -> bytes:
    return format.digest(kind, b"", _length(len(data)), data)


def _check(kind: bytes, document: str, note: StoredNote) -> dict[str, Any]:
    facts = _parse(kind, document, note)
    found = facts.pop("document", None)
    if found != document:
        raise _damaged(document, note, "a record of this document", f"one of {found!r}")
    return facts


def _parse(kind: bytes, document: str, note: StoredNote) -> dict[str, Any]:
    try:
        expected = _checksum(kind, note.data)
        if note.checksum != expected:
            raise _damaged(document, note, expected.hex(), repr(note.checksum))
        facts = json.loads(note.data)
    except (TypeError, ValueError) as error:
        # A value of another type than was written, or no JSON.
        raise _damaged(document, note, "JSON", str(error)) from error
    if not isinstance(facts, dict):
        raise _damaged(document, note, "an object", repr(facts))
    return facts


def _made(
    record: Callable[..., _Record], document: str, note: StoredNote, facts: dict[str, Any]
) -> _Record:
    try:
        return record(**facts)
    except TypeError as error:
        raise _damaged(document, note, "the facts of such a record", str(error)) from error


def _damaged(document: str, note: StoredNote, expected: str, found: str) -> Damaged:
    return Damaged(document, f"record {note.number}", expected, found)
