"""Stock clients log in, are refused, are revoked, renew and recover as their users would expect."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from yjs_store import open_store

from .conftest import StartServer
from .node import NodeClient, NodeProcess, step
from .server import RunningServer

UNAUTHORIZED, FORBIDDEN = 4401, 4403
TOKENS = {name: f"the-token-of-{name}-" + "x" * 16 for name in ("ann", "bob", "eve", "new-ann")}
ADMIN = "the-token-of-the-operator"
DOCUMENT = "notes/plan"

# Whose token it is, what it is for, and how.
GRANTS = {
    "ann": ("ann", "notes/*", "write"),
    "bob": ("bob", "notes/*", "read"),
    "eve": ("eve", "elsewhere", "write"),
    "new-ann": ("ann", "notes/*", "write"),
}


def write_tokens(file: Path, grants: Mapping[str, tuple[str, str, str]]) -> None:
    file.write_text(
        "".join(
            f'[[tokens]]\nuser = "{user}"\ntoken = "{TOKENS[name]}"\n'
            f'documents = ["{documents}"]\npermission = "{permission}"\n'
            for name, (user, documents, permission) in grants.items()
        )
    )


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.toml"
    write_tokens(file, {name: GRANTS[name] for name in ("ann", "bob", "eve")})
    return file


@pytest.fixture
async def guarded(start_server: StartServer, tokens: Path) -> RunningServer:
    admin = tokens.with_name("admin")
    admin.write_text(ADMIN)
    return await start_server(
        *("--auth", "token", "--token-file", str(tokens)),
        *("--enable-admin-routes", "--admin-token-file", str(admin)),
    )


async def post(server: RunningServer, path: str, token: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        url = server.url.replace("ws", "http", 1) + path
        response = await client.post(url, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def join(node: NodeProcess, server: RunningServer, who: str, **options: Any) -> NodeClient:
    options = {"params": {"token": TOKENS[who]}} | options
    return await node.join(who, server.url, DOCUMENT, **options)


async def was_closed_for_good(client: NodeClient) -> tuple[int, str]:
    """Wait until the client has given up; return what it tells its application."""
    await client.wait(closed=True, connected=False)
    status = await client.status()
    assert status["shouldConnect"] is False
    (event,) = [each for each in status["history"] if each["event"] == "closed"]
    return event["code"], event["reason"]


async def closes(client: NodeClient) -> list[dict[str, Any]]:
    history = (await client.status())["history"]
    return [each for each in history if each["event"] == "connection-close"]


async def test_a_token_of_the_address_or_of_a_sub_protocol_lets_in(
    node: NodeProcess, guarded: RunningServer
) -> None:
    ann = await join(node, guarded, "ann")
    protocols = ["yjs-relay", f"token.{TOKENS['bob']}"]
    bob = await join(node, guarded, "bob", params={}, protocols=protocols)
    await ann.edit(step("insert", "text", at=0, text="hello"))
    await bob.wait(content={"text": "hello"})


async def test_a_ticket_lets_in_and_a_reconnect_resumes_its_session(
    node: NodeProcess, guarded: RunningServer
) -> None:
    issued = await post(guarded, f"/auth/ticket/{DOCUMENT}", TOKENS["ann"])
    assert 0 < issued["ttl_ms"] <= 300_000
    ann = await join(node, guarded, "ann", params={"ticket": issued["ticket"]})
    await ann.go_offline()
    await ann.edit(step("insert", "text", at=0, text="made offline"))
    await ann.go_online()
    await ann.wait(synced=True)
    bob = await join(node, guarded, "bob")
    await bob.wait(content={"text": "made offline"})
    await guarded.stop()
    async with open_store(guarded.store_url) as store:
        (session,) = await store.sessions.list(user="ann")
    assert session.session_id == issued["session"]


@pytest.mark.parametrize(
    ("params", "code", "reason"),
    [
        ({}, UNAUTHORIZED, "a credential is needed"),
        ({"token": "x" * 32}, UNAUTHORIZED, "the token is not valid"),
        ({"ticket": "x" * 32}, UNAUTHORIZED, "the ticket is not valid"),
        ({"token": TOKENS["eve"]}, FORBIDDEN, "the token is not for this document"),
    ],
)
async def test_who_is_refused_stops_trying_and_can_tell_its_user_why(
    node: NodeProcess, guarded: RunningServer, params: dict[str, str], code: int, reason: str
) -> None:
    """Field note 24: one token does not reach every document."""
    client = await node.open("refused", guarded.url, DOCUMENT, params=params)
    assert await was_closed_for_good(client) == (code, reason)


async def test_a_refused_client_gets_in_with_a_new_token_and_loses_nothing(
    node: NodeProcess, guarded: RunningServer
) -> None:
    ann = await node.open("ann", guarded.url, DOCUMENT, params={"token": "x" * 32})
    await was_closed_for_good(ann)
    await ann.edit(step("insert", "text", at=0, text="written meanwhile"))
    await ann.set_params(token=TOKENS["ann"])
    await ann.go_online()
    await ann.wait(synced=True)
    bob = await join(node, guarded, "bob")
    await bob.wait(content={"text": "written meanwhile"})


async def test_a_token_that_was_taken_away_ends_its_connections(
    node: NodeProcess, guarded: RunningServer, tokens: Path
) -> None:
    """Field note 24: access does not outlive its token, also mid-connection."""
    ann, bob = await join(node, guarded, "ann"), await join(node, guarded, "bob")
    write_tokens(tokens, {name: GRANTS[name] for name in ("new-ann", "bob")})
    assert await was_closed_for_good(ann) == (UNAUTHORIZED, "the token is not valid")
    await ann.set_params(token=TOKENS["new-ann"])
    await ann.go_online()
    await ann.wait(synced=True)
    await ann.edit(step("insert", "text", at=0, text="back"))
    await bob.wait(content={"text": "back"})
    assert await closes(bob) == []


async def test_who_is_revoked_is_closed_at_once_and_does_not_come_back_by_the_same_token(
    node: NodeProcess, guarded: RunningServer, tokens: Path
) -> None:
    write_tokens(tokens, GRANTS)
    await guarded.wait_log("file read again")
    ann, bob = await join(node, guarded, "ann"), await join(node, guarded, "bob")
    async with httpx.AsyncClient(trust_env=False) as client:
        url = guarded.url.replace("ws", "http", 1) + "/admin/sessions?user=ann"
        listed = await client.get(url, headers={"Authorization": f"Bearer {ADMIN}"})
    (session,) = listed.json()["sessions"]
    await post(guarded, f"/admin/sessions/{session['session']}/revoke", ADMIN)
    assert await was_closed_for_good(ann) == (UNAUTHORIZED, "the session was revoked")
    again = await node.open("again", guarded.url, DOCUMENT, params={"token": TOKENS["ann"]})
    reason = "the session of this credential was revoked"
    assert await was_closed_for_good(again) == (UNAUTHORIZED, reason)
    await ann.edit(step("insert", "text", at=0, text="recovered"))
    await ann.set_params(token=TOKENS["new-ann"])
    await ann.go_online()
    await ann.wait(synced=True)
    await bob.wait(content={"text": "recovered"})
    assert await closes(bob) == []


async def test_a_reader_sees_edits_and_shows_its_cursor_and_changes_nothing(
    node: NodeProcess, guarded: RunningServer
) -> None:
    """Field note 25: a read-only client's awareness is not dropped."""
    ann, bob = await join(node, guarded, "ann"), await join(node, guarded, "bob")
    await bob.announce({"user": "Bob", "cursor": 3})
    await ann.wait(state={"clientId": bob.client_id, "equals": {"user": "Bob", "cursor": 3}})
    await bob.edit(step("set", "map", key="bob", value="was not let"))
    await ann.edit(step("insert", "text", at=0, text="Ann writes"))
    await bob.wait(content={"text": "Ann writes"})
    await bob.announce({"user": "Bob", "cursor": 4})
    await ann.wait(state={"clientId": bob.client_id, "equals": {"user": "Bob", "cursor": 4}})
    content = await ann.content()
    assert (content["text"], content["map"]) == ("Ann writes", {})
    assert await closes(bob) == []
    # Nor is it stored when it comes back with it.
    await bob.go_offline()
    await bob.go_online()
    await bob.wait(synced=True)
    await guarded.stop()
    async with open_store(guarded.store_url) as store:
        stored = await store.load(DOCUMENT)
        assert await store.quarantine.list() == []
    assert (await node.decode(stored))["content"]["map"] == {}


async def test_a_session_that_is_renewed_with_more_permission_goes_on_without_a_reconnect(
    node: NodeProcess, guarded: RunningServer, tokens: Path
) -> None:
    """What was edited before, in vain, arrives: the client is asked for it."""
    issued = await post(guarded, f"/auth/ticket/{DOCUMENT}", TOKENS["bob"])
    bob = await join(node, guarded, "bob", params={"ticket": issued["ticket"]})
    ann = await join(node, guarded, "ann")
    await bob.edit(step("insert", "text", at=0, text="early"))
    write_tokens(tokens, GRANTS | {"bob": ("bob", "notes/*", "write")})
    await guarded.wait_log("file read again")
    renewed = await post(guarded, f"/auth/session/{issued['session']}", TOKENS["bob"])
    assert renewed["permission"] == "write"
    await bob.edit(step("insert", "text", at=5, text=", late"))
    await ann.wait(content={"text": "early, late"})
    assert await closes(bob) == []
