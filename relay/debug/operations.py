"""The routes that are only looked at, as a table: for the OpenAPI description and for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel

from relay.debug import models
from relay.limits import DEBUG_PAGE, DEBUG_PAGE_MAX, STREAM_PACE_S
from yjs_store import Order
from yjs_store.limits import DOCUMENT_NAME_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that a route takes; ``schema`` is JSON Schema."""

    name: str
    text: str
    schema: Mapping[str, Any]
    where: Literal["path", "query"] = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """A route with one method. ``answer`` is what 200 brings, None for what is not JSON.

    ``refusals`` are the statuses of ``refusal`` beside those of the gate; a body may be missing.
    """

    method: Literal["get", "post", "put", "delete"]
    path: str
    name: str
    text: str
    answer: type[BaseModel] | None
    parameters: tuple[Parameter, ...] = ()
    content_types: tuple[str, ...] = ("application/json",)
    is_gated: bool = True
    refusals: Mapping[int, str] = field(default_factory=dict)
    body: type[BaseModel] | None = None
    refusal: type[BaseModel] = models.Refusal


_BUSY: Final = {503: "Storage does not answer, or too much is looked at: try again."}
# A name has 1 to 1024 bytes of UTF-8 without control characters; any of so few characters fits.
_NAME: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": DOCUMENT_NAME_BYTES_MAX // 4,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
}
DOCUMENT: Final = Parameter(
    "document",
    "A name; it may contain slashes, and is percent-encoded once. It has at most"
    f" {DOCUMENT_NAME_BYTES_MAX} bytes and no control characters.",
    _NAME,
    "path",
)

OPERATIONS: Final = (
    Operation(
        "get", "/debug/storage", "storage", "The store as a whole.", models.Storage, refusals=_BUSY
    ),
    Operation(
        "get",
        "/debug/documents",
        "documents",
        "Documents, page by page.",
        models.DocumentPage,
        (
            Parameter("prefix", "Only names that begin so.", {"type": "string"}),
            Parameter(
                "sort",
                "By name rising, or by the last write, stored bytes or journal bytes falling.",
                {"type": "string", "enum": [each.value for each in Order], "default": "name"},
            ),
            Parameter("after", "`next` of the page before, of the same order.", {"type": "string"}),
            Parameter(
                "limit",
                "How many at most.",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": DEBUG_PAGE_MAX,
                    "default": DEBUG_PAGE,
                },
            ),
            Parameter(
                "trouble",
                "1: only those that something is wrong with.",
                {"type": "string", "enum": ["0", "1"], "default": "0"},
            ),
        ),
        refusals={400: "A parameter is not what it may be.", **_BUSY},
    ),
    Operation(
        "get",
        "/debug/documents/{document}",
        "document",
        "Everything about one document.",
        models.Document,
        (DOCUMENT,),
        refusals={
            400: "The path holds no name.",
            404: "Nothing is stored under the name, and it is not in memory.",
            **_BUSY,
        },
    ),
    Operation("get", "/debug/me", "me", "Who looks, and what they may do.", models.Me),
    Operation(
        "get",
        "/debug/stream",
        "stream",
        f"Server-sent events, at most one in {STREAM_PACE_S:g} s: `storage` with what"
        " `/debug/storage` answers or, with `document`, `document` with what its route answers, and"
        " `gone` when there is none; `busy` and `unavailable` when there was no answer this time;"
        " `undecided`, and nothing else, while nobody decides whether the credential still counts;"
        " `refused` at the end, when it does not count any more.",
        None,
        (Parameter("document", "Watch this one instead of the store.", _NAME),),
        content_types=("text/event-stream",),
        refusals={400: "That is no name.", 503: "Too many watch."},
    ),
    Operation(
        "get",
        "/metrics",
        "metrics",
        "Metrics, in the text format of Prometheus or as OpenMetrics.",
        None,
        content_types=("text/plain", "application/openmetrics-text"),
        refusals=_BUSY,
    ),
    Operation(
        "get",
        "/openapi.json",
        "openapi",
        "This description.",
        None,
        is_gated=False,
    ),
)
