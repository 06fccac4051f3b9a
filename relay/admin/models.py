"""The JSON of the admin routes, field by field.

Keys are stable: one may be added, none changes its meaning. Times are milliseconds since 1970,
lengths are bytes; what does not apply is null.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from relay.debug.models import Refusal
from relay.limits import ACT_REASON_MAX


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _said(description: str) -> "object":
    return Field(description=description)


class ActRequest(_Model):
    """The body of an act; it may be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    reason: Annotated[
        str | None, Field(description="why; it is kept", max_length=ACT_REASON_MAX)
    ] = None


_Facts = dict[str, JsonValue]


class ActAnswer(_Model):
    """What came of an act."""

    action: Annotated[str, _said("which act")]
    document: Annotated[str | None, _said("to which document; null is the store")]
    dry_run: Annotated[bool, _said("whether it was only looked at")]
    result: Annotated[
        str,
        _said(
            "noop: it is so already; failed: tried, and nothing was changed; would_…: what a dry"
            " run found to do; else what was done"
        ),
    ]
    facts: Annotated[_Facts, _said("the particulars, by act; see engineering/admin.md")]


class ActRefusal(Refusal):
    """A refusal; nothing was changed unless the message says so."""

    facts: Annotated[
        _Facts,
        Field(description="the particulars; missing where there are none", default_factory=dict),
    ]


class Listing(_Model):
    """An answer that lists something."""


class SessionRow(_Model):
    """A session: somebody who was let in."""

    session: Annotated[str, _said("its id")]
    user: str
    document: str
    permission: Literal["read", "write", "admin"]
    status: Literal["active", "ended", "revoked", "expired", "damaged"]
    details: Annotated[dict[str, str], _said("the address, the client's program")]
    created_ms: int
    updated_ms: int
    expires_ms: int


class Sessions(Listing):
    """Part of the list of sessions, in the order of their ids."""

    sessions: list[SessionRow]


class QuarantineRow(_Model):
    """An update that was refused."""

    number: int
    document: str
    reason: Annotated[str, _said("why it was refused")]
    sender: str
    first_seen_ms: int
    last_seen_ms: int
    times: Annotated[int, _said("how often it came")]
    byte_length: int
    sha256: str
    problem: Annotated[str | None, _said("what is wrong with this record itself")]


class QuarantineEntries(Listing):
    """Part of the list of refused updates, the oldest first."""

    entries: list[QuarantineRow]


class SetAsideRow(_Model):
    """A damaged document whose place is taken, or free."""

    number: int
    document: str
    reason: Annotated[str, _said("what was wrong with it")]
    set_aside_ms: int


class SetAsides(Listing):
    """What salvaging has set aside."""

    set_aside: list[SetAsideRow]


class ActRecord(_Model):
    """What is kept of an act."""

    number: Annotated[int, _said("rises")]
    at_ms: int
    by: Annotated[str, _said("who")]
    action: str
    document: str | None
    dry_run: bool
    result: Annotated[
        str,
        _said(
            "intent: it was about to be done; refused: it could not be; else as it was answered."
            " An intent whose number no result names was cut short: what came of it is not known"
        ),
    ]
    facts: Annotated[_Facts, _said("with `intent`, the number of that, and `asked`")]


class Acts(Listing):
    """Part of the list of acts, the newest first."""

    acts: list[ActRecord]
    damaged: Annotated[int, _said("records among these that cannot be read, and are not shown")]
    next: Annotated[int | None, _said("give this as `before` for what follows; null at the end")]
