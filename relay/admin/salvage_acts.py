"""What an operator does to a damaged document, and to what was set aside for it."""

from relay.admin.act import NOOP, Act, Facts, NotSensible, Outcome, listed
from relay.admin.seam import ActableStore
from yjs_store import DocumentMissing, SalvagePlan


def salvage(store: ActableStore, name: str, *, unverified: bool) -> Act:
    """Put the most that can be saved in the place of a damaged document."""

    async def plan() -> tuple[SalvagePlan, Outcome]:
        planned = await store.plan_salvage(name, unverified=unverified)
        if planned.lost and planned.saves_nothing:
            raise NotSensible(
                "nothing of it can be saved: set it aside, and whoever has it gives it back",
                _told(planned),
            )
        return planned, Outcome("would_salvage" if planned.lost else NOOP, _told(planned))

    async def look() -> Outcome:
        return (await plan())[1]

    async def do() -> Outcome:
        planned, outcome = await plan()
        return outcome if outcome.result == NOOP else await _put_in_place(store, planned)

    return Act("salvage", name, look, do, {"unverified": unverified})


def salvage_as_planned(
    store: ActableStore, planned: SalvagePlan, *, unverified: bool, gives_up: bool
) -> Act:
    """Carry out a plan that was made of a store before it was opened.

    With ``gives_up`` a document of which nothing can be saved is set aside; without, that fails.
    It is not planned again: a store trims as soon as it is open, and what is dead may be all that
    is left. Whether it is still the same document is compared.
    """
    name = planned.remains.sealed_head.head.name
    is_given_up = gives_up and planned.saves_nothing

    async def look() -> Outcome:
        return Outcome("would_set_aside" if is_given_up else "would_salvage", _told(planned))

    async def do() -> Outcome:
        if is_given_up:
            return await _give_up(store, name, planned)
        return await _put_in_place(store, planned)

    action = "set-aside" if is_given_up else "salvage"
    return Act(action, name, look, do, {"unverified": unverified})


async def _put_in_place(store: ActableStore, planned: SalvagePlan) -> Outcome:
    head = await store.salvage(planned)
    return Outcome("salvaged", {**_told(planned), "last_seq": head.last_seq})


async def _give_up(store: ActableStore, name: str, planned: SalvagePlan) -> Outcome:
    await store.set_aside(planned)
    return Outcome("set_aside", {**_told(planned), "number": await _number_of(store, name)})


def set_aside(store: ActableStore, name: str) -> Act:
    """Set a document aside of which nothing can be saved, so that its name is free."""

    async def plan() -> tuple[SalvagePlan | None, Outcome]:
        try:
            planned = await store.plan_salvage(name)
        except DocumentMissing:
            number = await _number_of(store, name)
            if number is None:
                raise
            return None, Outcome(NOOP, {"number": number})
        if not planned.lost:
            return None, Outcome(NOOP, _told(planned))
        if not planned.saves_nothing:
            raise NotSensible("something of it can be saved: salvage it", _told(planned))
        return planned, Outcome("would_set_aside", _told(planned))

    async def look() -> Outcome:
        return (await plan())[1]

    async def do() -> Outcome:
        planned, outcome = await plan()
        return outcome if planned is None else await _give_up(store, name, planned)

    return Act("set-aside", name, look, do)


async def _number_of(store: ActableStore, name: str) -> int | None:
    numbers = [each.document_id for each in await store.list_set_aside() if each.name == name]
    return max(numbers, default=None)


async def discard_set_aside(store: ActableStore, number: int) -> Act:
    """Return the act that removes for good what was set aside under a number."""
    found = {each.document_id: each for each in await store.list_set_aside()}.get(number)
    told: Facts = {} if found is None else {"set_aside_ms": found.set_aside_ms}

    async def look() -> Outcome:
        return Outcome(NOOP if found is None else "would_discard", told)

    async def do() -> Outcome:
        if found is None or not await store.discard_set_aside(number):
            return Outcome(NOOP, told)
        return Outcome("discarded", told)

    name = None if found is None else found.name
    return Act("discard-set-aside", name, look, do, {"number": number})


def _told(planned: SalvagePlan) -> Facts:
    return {
        "lost": listed(planned.lost),
        "lost_count": len(planned.lost),
        "rows_saved": planned.rows_saved,
        "saved_bytes": len(planned.update),
        "saves_nothing": planned.saves_nothing,
        "clients_missing": len(planned.missing),
    }
