"""relay.record_facts: commands and routes tell the same of a session."""

from dataclasses import replace

import pytest

from relay.record_facts import session_facts
from yjs_store import Permission, Session, SessionStatus

SESSION = Session("s", "ann", "n", Permission.READ, SessionStatus.ACTIVE, {}, 1, 2, 1000)


@pytest.mark.parametrize(
    ("session", "now_ms", "status"),
    [
        (SESSION, 999, "active"),
        (SESSION, 1000, "expired"),
        (replace(SESSION, status=SessionStatus.REVOKED), 1000, "revoked"),
        (replace(SESSION, details={"damaged": "its user"}), 999, "damaged"),
    ],
)
def test_the_status_is_what_holds_now(session: Session, now_ms: int, status: str) -> None:
    assert session_facts(session, now_ms)["status"] == status
