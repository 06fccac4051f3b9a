"""The admin routes as a table: for the OpenAPI description, and for what tests them."""

from collections.abc import Iterator
from typing import Any, Final

from relay.admin import models
from relay.debug.operations import DOCUMENT, Operation, Parameter
from relay.limits import ACT_BODY_BYTES_MAX, ACT_REASON_MAX, ADMIN_PAGE_MAX, COMPACTED_AT_ONCE_MAX

DOCUMENT_ACTS: Final = {
    "compact": "Fold the journal into a snapshot now; its breaker is closed first.",
    "load": "Bring it into memory, so that the next client does not wait.",
    "unload": "Drop it from memory after what is unsaved; its clients come back by themselves.",
    "read-only": "Refuse what clients write, until it is lifted.",
    "writable": "Lift that; clients are asked for what they have.",
    "delete": "Delete it; its name stays barred, and its clients are closed for good.",
    "forget": "Forget that it was deleted: whoever still has it brings it back.",
    "salvage": "Put the most that can be saved in the place of a damaged document.",
    "set-aside": "Set a damaged document aside of which nothing can be saved.",
}
STORE_ACTS: Final = {
    "read-only": "Refuse what clients write to any document, until it is lifted.",
    "writable": "Lift that; clients are asked for what they have.",
    "truncate-wal": "Write SQLite's WAL into the file, and cut it to nothing.",
    "vacuum": "Write the file anew without its free pages, where the disk has room for that.",
}

_FLAG: Final = {"type": "string", "enum": ["0", "1"], "default": "0"}
_ACT_PARAMETERS: Final = (
    Parameter("dry_run", "1: only say what it would do.", _FLAG),
    Parameter(
        "reason",
        "Why, unless the body says so; it is kept.",
        {"type": "string", "maxLength": ACT_REASON_MAX},
    ),
)
_ACT_REFUSALS: Final = {
    400: "The path, a parameter or the body is not what it may be.",
    413: f"The body has more than {ACT_BODY_BYTES_MAX} bytes.",
    415: "The body is no JSON.",
    500: "It was done, and that could not be kept.",
    503: "Storage does not answer; unless the intent is in the list of acts, nothing was done.",
}
_MISSING: Final = {404: "There is nothing of that name or number."}
_DELETED: Final = {410: "It was deleted."}
_LIST_REFUSALS: Final = {400: "A parameter is not what it may be.", 503: "Storage does not answer."}


def _whole(least: int = 0, most: int = 10**18 - 1) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


_NUMBER: Final = Parameter("number", "As in the list.", _whole(), "path")
_LIMIT: Final = Parameter(
    "limit", "How many at most.", {**_whole(1, ADMIN_PAGE_MAX), "default": ADMIN_PAGE_MAX}
)
_OF_DOCUMENT: Final = Parameter("document", "Only those of this one.", {"type": "string"})


def _act(
    path: str,
    name: str,
    text: str,
    parameters: tuple[Parameter, ...] = (),
    refusals: dict[int, str] | None = None,
) -> Operation:
    return Operation(
        "post",
        path,
        name,
        text,
        models.ActAnswer,
        (*parameters, *_ACT_PARAMETERS),
        refusals={**_ACT_REFUSALS, **(refusals or {})},
        body=models.ActRequest,
        refusal=models.ActRefusal,
    )


def _list(
    path: str,
    name: str,
    text: str,
    answer: type[models.Listing],
    parameters: tuple[Parameter, ...] = (),
) -> Operation:
    return Operation("get", path, name, text, answer, parameters, refusals=_LIST_REFUSALS)


def _document_acts() -> Iterator[Operation]:
    idempotent = {"unload", "writable", "forget"}
    for action, text in DOCUMENT_ACTS.items():
        parameters: tuple[Parameter, ...] = (DOCUMENT,)
        refusals = {} if action in idempotent else {**_MISSING, **_DELETED}
        if action == "delete":
            refusals = dict(_MISSING)
        if action in ("salvage", "set-aside"):
            refusals[409] = "It would do harm as things are; the message says what to do."
        if action == "salvage":
            unverified = "1: take rows that decode though their checksum is wrong."
            parameters = (DOCUMENT, Parameter("unverified", unverified, _FLAG))
        path = f"/admin/documents/{{document}}/{action}"
        yield _act(path, f"document_{action}", text, parameters, refusals)


def _store_acts() -> Iterator[Operation]:
    due = f"Compact every document whose checkpoint is due, {COMPACTED_AT_ONCE_MAX} at most."
    yield _act("/admin/compact-due", "compact_due", due)
    for action, text in STORE_ACTS.items():
        no_room = {507: "The disk has too little room for that."} if action == "vacuum" else {}
        yield _act(f"/admin/store/{action}", f"store_{action}", text, (), no_room)


_SESSION: Final = Parameter("session", "As in the list.", {"type": "string"}, "path")
_AFTER: Final = Parameter("after", "Only what follows this one.", {"type": "string"})

ADMIN_OPERATIONS: Final[tuple[Operation, ...]] = (
    *_document_acts(),
    *_store_acts(),
    _act(
        "/admin/sessions/{session}/revoke",
        "revoke",
        "End a session, and close what it has open.",
        (_SESSION,),
        _MISSING,
    ),
    _act(
        "/admin/quarantine/{number}/release",
        "release",
        "Hand a refused update to its document again.",
        (_NUMBER,),
        {**_MISSING, **_DELETED, 422: "The document refuses it again; it stays where it is."},
    ),
    _act(
        "/admin/quarantine/{number}/discard",
        "discard",
        "Remove a refused update for good.",
        (_NUMBER,),
    ),
    _act(
        "/admin/set-aside/{number}/discard",
        "discard_set_aside",
        "Remove for good what was set aside.",
        (_NUMBER,),
    ),
    _list(
        "/admin/audit",
        "audit",
        "What operators did, the newest first.",
        models.Acts,
        (
            Parameter("before", "`next` of the page before.", _whole()),
            _LIMIT,
            _OF_DOCUMENT,
        ),
    ),
    _list(
        "/admin/sessions",
        "sessions",
        "Who was let in.",
        models.Sessions,
        (
            Parameter("user", "Only those of this user.", {"type": "string"}),
            _OF_DOCUMENT,
            _AFTER,
            _LIMIT,
            Parameter("ended", "1: those that are over, too.", _FLAG),
        ),
    ),
    _list(
        "/admin/quarantine",
        "quarantine",
        "Updates that were refused.",
        models.QuarantineEntries,
        (_OF_DOCUMENT, Parameter("after", "Only what follows this one.", _whole()), _LIMIT),
    ),
    Operation(
        "get",
        "/admin/quarantine/{number}",
        "quarantined",
        "The bytes of a refused update.",
        None,
        (_NUMBER,),
        content_types=("application/octet-stream",),
        refusals={**_LIST_REFUSALS, **_MISSING},
    ),
    _list("/admin/set-aside", "set_aside", "What salvaging has set aside.", models.SetAsides),
)
