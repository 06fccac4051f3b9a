"""What is told of a session and of a quarantined update: the same by commands and routes. Pure."""

from yjs_store import QuarantineEntry, Session, SessionStatus


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


def status_of(session: Session, now_ms: int) -> str:
    """Return how a session is now: an active one whose time is over has expired."""
    if "damaged" in session.details:
        return "damaged"
    if session.status is SessionStatus.ACTIVE and session.expires_ms <= now_ms:
        return "expired"
    return session.status.value
