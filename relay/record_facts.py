"""What is told of stored records: the same by commands and routes. Pure."""

from yjs_store import AuditRecord, QuarantineEntry, Session, SessionStatus, SetAside


def session_facts(session: Session, now_ms: int) -> dict[str, object]:
    """Return the facts of a session, for JSON."""
    return {
        "session": session.session_id,
        "user": session.user,
        "document": session.document,
        "permission": session.permission.value,
        "status": status_of(session, now_ms),
        "details": session.details,
        "created_ms": session.created_ms,
        "updated_ms": session.updated_ms,
        "expires_ms": session.expires_ms,
    }


def entry_facts(entry: QuarantineEntry) -> dict[str, object]:
    """Return the facts of an entry without its bytes, for JSON."""
    return {
        "number": entry.entry_id,
        "document": entry.document,
        "reason": entry.reason,
        "sender": entry.sender,
        "first_seen_ms": entry.created_ms,
        "last_seen_ms": entry.seen_ms,
        "times": entry.seen_count,
        "byte_length": entry.byte_length,
        "sha256": entry.hash.hex(),
        "problem": entry.problem,
    }


def set_aside_facts(aside: SetAside) -> dict[str, object]:
    """Return the facts of what was set aside, for JSON."""
    return {
        "number": aside.document_id,
        "document": aside.name,
        "reason": aside.reason,
        "set_aside_ms": aside.set_aside_ms,
    }


def act_facts(act: AuditRecord) -> dict[str, object]:
    """Return the facts of what an operator did, for JSON."""
    return {
        "number": act.number,
        "at_ms": act.at_ms,
        "by": act.by,
        "action": act.action,
        "document": act.document,
        "dry_run": act.is_dry_run,
        "result": act.result,
        "facts": act.facts,
    }


def status_of(session: Session, now_ms: int) -> str:
    """Return how a session is now: an active one whose time is over has expired."""
    if "damaged" in session.details:
        return "damaged"
    if session.status is SessionStatus.ACTIVE and session.expires_ms <= now_ms:
        return "expired"
    return session.status.value
