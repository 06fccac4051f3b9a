"""What is answered of an act: its outcome, or a refusal with its facts. Pure."""

from typing import Any

from starlette.responses import Response

from relay.admin.act import Act, Facts, NotFound, NotSensible, Outcome
from relay.admin.performing import Unrecorded, Wish
from relay.http_answers import answer
from yjs_store import (
    DocumentDeleted,
    DocumentMissing,
    EntryMissing,
    NoRoom,
    StoreError,
    UpdateRefused,
)

_STATUS: tuple[tuple[tuple[type[StoreError], ...], int, str], ...] = (
    ((DocumentMissing, EntryMissing, NotFound), 404, "not_found"),
    ((DocumentDeleted,), 410, "deleted"),
    ((NotSensible,), 409, "not_sensible"),
    ((NoRoom,), 507, "no_room"),
    ((UpdateRefused,), 422, "refused"),
    ((Unrecorded,), 500, "unrecorded"),
)


def outcome_answer(act: Act, wish: Wish, outcome: Outcome) -> Response:
    """Return the answer to an act that has an outcome."""
    return answer(outcome_facts(act, wish, outcome))


def outcome_facts(act: Act, wish: Wish, outcome: Outcome) -> dict[str, Any]:
    """Return what is told of an act that has an outcome, as JSON."""
    return {
        "action": act.action,
        "document": act.document,
        "dry_run": wish.is_dry_run,
        "result": outcome.result,
        "facts": outcome.facts,
    }


def refusal_answer(error: StoreError) -> Response:
    """Return the answer to an act that was refused, or that could not be kept."""
    for kinds, status, word in _STATUS:
        if isinstance(error, kinds):
            return _refusal(status, word, str(error), _facts_of(error))
    return _refusal(503, "storage", f"nothing was done, or it may be done again: {error}", {})


def _refusal(status: int, word: str, message: str, facts: Facts) -> Response:
    return answer({"error": word, "message": message, "facts": facts}, status)


def _facts_of(error: StoreError) -> Facts:
    match error:
        case NoRoom():
            return {"needed_bytes": error.needed_bytes, "free_bytes": error.free_bytes}
        case NotSensible():
            return error.facts
        case Unrecorded():
            return {"act": error.number, "result": error.outcome.result, **error.outcome.facts}
    return {}
