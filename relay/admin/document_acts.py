"""What an operator does to one document. Each act is idempotent, and looks at what it would do."""

from dataclasses import asdict

from relay.admin.act import FAILED, NOOP, Act, Facts, Outcome
from relay.admin.seam import ActableStore, Rooms
from yjs_store import (
    BreakerState,
    DocumentDeleted,
    DocumentMissing,
    Head,
    Switch,
    UnloadResult,
)


def compact(store: ActableStore, name: str) -> Act:
    """Fold the journal into a snapshot now; the document's breaker is closed first."""

    async def look() -> Outcome:
        head = await _living(store, name)
        breaker = store.breaker(name)
        is_idle = head.journal_rows == 0 and breaker.state is BreakerState.CLOSED
        return Outcome(
            NOOP if is_idle else "would_compact",
            {**_sizes(head, "before"), "breaker_before": breaker.state.value},
        )

    async def do() -> Outcome:
        breaker = store.breaker(name)
        done = await store.compact(name)
        facts = asdict(done) | {
            "breaker_before": breaker.state.value,
            "breaker_after": store.breaker(name).state.value,
        }
        del facts["document"], facts["result"], facts["error"]
        return Outcome(
            done.result.value, facts if done.error is None else {**facts, "because": done.error}
        )

    return Act("compact", name, look, do)


def load(store: ActableStore, name: str) -> Act:
    """Bring a document into memory, so that the next client does not wait for it."""

    async def look() -> Outcome:
        head = await _living(store, name)
        facts = await store.observation.document_facts(name)
        return Outcome("would_load" if facts.live is None else NOOP, _sizes(head))

    async def do() -> Outcome:
        head = await _living(store, name)
        if (await store.observation.document_facts(name)).live is not None:
            return Outcome(NOOP, _sizes(head))
        # It rests in memory after this; how long, the bounds of what rests there decide.
        await store.load_now(name)
        live = (await store.observation.document_facts(name)).live
        load_ms = None if live is None else live.load_ms
        return Outcome("loaded", {**_sizes(head), "load_ms": load_ms})

    return Act("load", name, look, do)


def unload(store: ActableStore, rooms: Rooms, name: str) -> Act:
    """Drop a document from memory after what is unsaved; its clients come back by themselves."""

    async def look() -> Outcome:
        live = (await store.observation.document_facts(name)).live
        if live is None:
            return Outcome(NOOP)
        waiting = live.gathered + live.in_flight + live.suspects
        connections = rooms.room_size(name) or 0
        return Outcome("would_unload", {"connections": connections, "unsaved_updates": waiting})

    async def do() -> Outcome:
        before = await look()
        if before.result == NOOP:
            return before
        try:
            facts: Facts = {"connections_closed": await rooms.unload(name)}
        except TimeoutError:
            return Outcome(FAILED, {"because": "what is unsaved is not becoming durable"})
        if await store.unload(name) is UnloadResult.IN_USE:
            return Outcome(FAILED, {**facts, "because": "it is in use"})
        return Outcome("unloaded", facts)

    return Act("unload", name, look, do)


def read_only(store: ActableStore, name: str | None, reason: str, by: str) -> Act:
    """Let nothing be written to a document, or to any."""

    async def look() -> Outcome:
        switch = await _switch(store, name)
        return Outcome("would_read_only") if switch is None else Outcome(NOOP, _told(switch))

    async def do() -> Outcome:
        switch = await _switch(store, name)
        if switch is not None:
            # Who was first, and why, stays.
            return Outcome(NOOP, _told(switch))
        return Outcome("read_only", _told(await store.set_read_only(name, reason, by)))

    return Act("read-only", name, look, do)


async def _switch(store: ActableStore, name: str | None) -> Switch | None:
    """Return the switch of just this, raising what says that there is nothing to switch."""
    if name is None:
        return store.read_only(None)
    await _living(store, name)
    return await _own_switch(store, name)


async def _own_switch(store: ActableStore, name: str) -> Switch | None:
    switch = (await store.observation.document_facts(name)).read_only
    # A document without one shows that of the store.
    return switch if switch is not None and switch.document == name else None


def writable(store: ActableStore, name: str | None) -> Act:
    """Let a document, or the store, be written to again; clients are asked for what they have."""

    async def look() -> Outcome:
        switch = store.read_only(None) if name is None else await _own_switch(store, name)
        return Outcome(NOOP) if switch is None else Outcome("would_writable", _told(switch))

    async def do() -> Outcome:
        before = await look()
        if before.result == NOOP:
            return before
        lifted = await store.lift_read_only(name)
        return Outcome(NOOP) if lifted is None else Outcome("writable", _told(lifted))

    return Act("writable", name, look, do)


def delete(store: ActableStore, rooms: Rooms, name: str) -> Act:
    """Delete a document; its name stays barred (P9), and who has it open is closed for good."""

    async def look() -> Outcome:
        head = await _existing(store, name)
        if head.deleted_ms is not None:
            return Outcome(NOOP, {"deleted_ms": head.deleted_ms})
        return Outcome("would_delete", {**_sizes(head), "connections": rooms.room_size(name) or 0})

    async def do() -> Outcome:
        before = await look()
        if before.result == NOOP:
            return before
        await store.delete(name)
        head = await _existing(store, name)
        return Outcome("deleted", {**before.facts, "deleted_ms": head.deleted_ms})

    return Act("delete", name, look, do)


def forget(store: ActableStore, name: str) -> Act:
    """Forget that a document was deleted: whoever still has it brings it back."""

    async def look() -> Outcome:
        head = await store.head(name)
        if head is None or head.deleted_ms is None:
            return Outcome(NOOP, {"is_stored": head is not None})
        return Outcome("would_forget", {"deleted_ms": head.deleted_ms})

    async def do() -> Outcome:
        before = await look()
        if before.result == NOOP:
            return before
        await store.forget(name)
        return Outcome("forgotten", before.facts)

    return Act("forget", name, look, do)


async def _existing(store: ActableStore, name: str) -> Head:
    head = await store.head(name)
    if head is None:
        raise DocumentMissing(name)
    return head


async def _living(store: ActableStore, name: str) -> Head:
    head = await _existing(store, name)
    if head.deleted_ms is not None:
        raise DocumentDeleted(name)
    return head


def _sizes(head: Head, when: str = "") -> Facts:
    facts = {
        "journal_rows": head.journal_rows,
        "journal_bytes": head.journal_bytes,
        "snapshot_bytes": head.snapshot_bytes,
    }
    return {f"{fact}_{when}" if when else fact: value for fact, value in facts.items()}


def _told(switch: Switch) -> Facts:
    return {"reason": switch.reason, "by": switch.by, "since_ms": switch.since_ms}
