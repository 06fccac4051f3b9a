"""What an operator does to the store as a whole."""

from dataclasses import asdict

from relay.admin.act import FAILED, NOOP, Act, Facts, Outcome, listed
from relay.admin.seam import ActableStore
from relay.limits import ACT_FACTS_LISTED_MAX, ACT_FACTS_TEXT_MAX, COMPACTED_AT_ONCE_MAX
from yjs_store import (
    DocumentDeleted,
    DocumentMissing,
    SpaceChange,
    StoreClosed,
    StoreError,
    StoreUnavailable,
    check_room,
)


def compact_due(store: ActableStore) -> Act:
    """Compact every document whose checkpoint is due, COMPACTED_AT_ONCE_MAX at most."""

    async def look() -> Outcome:
        names = await _due(store)
        facts: Facts = {"due": len(names), "documents": listed(names)}
        return Outcome("would_compact" if names else NOOP, facts)

    async def do() -> Outcome:
        names = await _due(store)
        counts = {"compacted": 0, NOOP: 0, FAILED: 0}
        failures: dict[str, str] = {}
        for name in names[:COMPACTED_AT_ONCE_MAX]:
            result, because = await _compact_one(store, name)
            counts[result] += 1
            if because is not None and len(failures) < ACT_FACTS_LISTED_MAX:
                failures[name[:ACT_FACTS_TEXT_MAX]] = because[:ACT_FACTS_TEXT_MAX]
        facts: Facts = {"due": len(names), **counts, "failures": failures}
        return Outcome(_over_all(counts), facts)

    return Act("compact-due", None, look, do)


async def _due(store: ActableStore) -> list[str]:
    return [head.name for head in await store.list_due()]


async def _compact_one(store: ActableStore, name: str) -> tuple[str, str | None]:
    try:
        done = await store.compact(name)
    except (DocumentDeleted, DocumentMissing):
        # Meanwhile.
        return NOOP, None
    except (StoreUnavailable, StoreClosed):
        # Nothing of the document's: the next would fail, too.
        raise
    except StoreError as error:
        return FAILED, str(error)
    return done.result.value, done.error


def _over_all(counts: dict[str, int]) -> str:
    return next((result for result in (FAILED, "compacted") if counts[result]), NOOP)


def truncate_wal(store: ActableStore) -> Act:
    """Copy SQLite's WAL into the file, and cut it to nothing.

    The record of the act is itself written to the WAL, so that is never empty for long.
    """

    async def look() -> Outcome:
        space = await store.observation.space()
        return Outcome("would_truncate_wal" if space.wal_bytes else NOOP, asdict(space))

    async def do() -> Outcome:
        return _made(await store.truncate_wal(), "truncated")

    return Act("truncate-wal", None, look, do)


def vacuum(store: ActableStore) -> Act:
    """Write the file anew without its free pages, where the disk has room for that."""

    async def look() -> Outcome:
        space = await store.observation.space()
        if space.free_bytes == 0:
            return Outcome(NOOP, asdict(space))
        check_room(space)
        return Outcome("would_vacuum", asdict(space))

    async def do() -> Outcome:
        before = await look()
        if before.result == NOOP:
            return before
        return _made(await store.vacuum(), "vacuumed")

    return Act("vacuum", None, look, do)


def _made(change: SpaceChange, result: str) -> Outcome:
    facts: Facts = {"before": asdict(change.before), "after": asdict(change.after)}
    if change.incomplete is None:
        return Outcome(result, facts)
    return Outcome("incomplete", {**facts, "incomplete": change.incomplete})
