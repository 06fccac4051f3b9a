"""What an operator does to sessions and to refused updates."""

from relay.admin.act import NOOP, Act, Facts, NotFound, Outcome
from relay.limits import ACT_FACTS_TEXT_MAX
from yjs_store import (
    EntryMissing,
    Quarantine,
    QuarantineEntry,
    Session,
    SessionBook,
)

# Sessions whose ids begin alike but for the last character; they are made at random.
_NEIGHBOURS = 16


async def revoke(sessions: SessionBook, session_id: str) -> Act:
    """Return the act that ends a session, and closes what it has open."""
    known = await _find(sessions, session_id)
    told: Facts = {} if known is None else {"user": known.user}

    async def look() -> Outcome:
        _check_known(known)
        is_active = await sessions.find(session_id) is not None
        return Outcome("would_revoke" if is_active else NOOP, told)

    async def do() -> Outcome:
        _check_known(known)
        revoked = await sessions.revoke(session_id=session_id)
        return Outcome("revoked" if revoked else NOOP, told)

    document = None if known is None else known.document
    return Act("revoke", document, look, do, {"session": session_id[:ACT_FACTS_TEXT_MAX]})


async def _find(sessions: SessionBook, session_id: str) -> Session | None:
    """Return a session, also one that is over and still kept."""
    found = await sessions.list(after=session_id[:-1], limit=_NEIGHBOURS, with_ended=True)
    return next((each for each in found if each.session_id == session_id), None)


def _check_known(session: Session | None) -> None:
    if session is None:
        raise NotFound("there is no such session, or it has been over for long")


async def release(quarantine: Quarantine, number: int) -> Act:
    """Return the act that hands a refused update to its document again."""
    entry = await _entry(quarantine, number)

    async def look() -> Outcome:
        if entry is None or (await quarantine.get(number)).data is None:
            raise EntryMissing("there is no such entry, or its bytes were not kept")
        # Whether the document takes it now is only known when it is tried.
        return Outcome(
            "would_release", {**_told(entry), "refused_because": entry.reason[:ACT_FACTS_TEXT_MAX]}
        )

    async def do() -> Outcome:
        receipt = await quarantine.release(number)
        return Outcome("released", {"seq": receipt.seq, **({} if entry is None else _told(entry))})

    return Act("release", _document_of(entry), look, do, {"number": number})


async def discard(quarantine: Quarantine, number: int) -> Act:
    """Return the act that removes a refused update for good."""
    entry = await _entry(quarantine, number)
    told = {} if entry is None else _told(entry)

    async def look() -> Outcome:
        return Outcome(NOOP if entry is None else "would_discard", told)

    async def do() -> Outcome:
        is_removed = await quarantine.discard(number)
        return Outcome("discarded" if is_removed else NOOP, told)

    return Act("discard", _document_of(entry), look, do, {"number": number})


async def _entry(quarantine: Quarantine, number: int) -> QuarantineEntry | None:
    try:
        return await quarantine.get(number)
    except EntryMissing:
        return None


def _document_of(entry: QuarantineEntry | None) -> str | None:
    return None if entry is None else entry.document


def _told(entry: QuarantineEntry) -> Facts:
    return {"byte_length": entry.byte_length, "sha256": entry.hash.hex()}
