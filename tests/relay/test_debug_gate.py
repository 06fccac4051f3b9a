"""Who may look: nobody who may not administer, but for the holder of a token for that."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.requests import Request

from relay.auth.anonymous import Anonymous
from relay.auth.grants import (
    AdmissionRefused,
    BadRequest,
    DeciderUnavailable,
    Forbidden,
    Grant,
    Unauthorized,
)
from relay.debug.gate import Observer, ObserverGate
from relay.errors import ConfigError
from relay.limits import OBSERVER_REMEMBERED_S, OBSERVERS_REMEMBERED_MAX
from yjs_store import Permission

ADMIN_TOKEN = "the-admin-token-of-this-test"
OBSERVER_TOKEN = "the-observer-token-of-this-test"


@dataclass
class Table:
    """An authority that knows some tokens, and counts how often it is asked."""

    grants: dict[str, Permission] = field(default_factory=dict)
    needs_credential = True
    version: int = 0
    asked: list[str] = field(default_factory=list)
    is_silent: bool = False

    async def judge(self, credential: str, document: str | None) -> Grant:
        assert document is None
        self.asked.append(credential)
        if self.is_silent:
            raise DeciderUnavailable("nobody answers")
        if credential not in self.grants:
            raise Unauthorized("the token is not valid")
        return Grant(credential, self.grants[credential])

    def refresh(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Clock:
    now_s = 10.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {}
    for name, token in (("admin", ADMIN_TOKEN), ("observer", OBSERVER_TOKEN)):
        made[name] = tmp_path / name
        made[name].write_text(token + "\n")
        made[name].chmod(0o600)
    return made


def request(*credentials: str, host: str = "127.0.0.1:1234") -> Request:
    headers = [(b"host", host.encode())]
    headers += [(b"authorization", f"Bearer {each}".encode()) for each in credentials]
    return Request({"type": "http", "headers": headers})


def make_gate(authority: object, *files: Path | None, **options: bool) -> ObserverGate:
    admin, observer = (*files, None, None)[:2]
    return ObserverGate(authority, admin, observer, Clock(), **options)  # type: ignore[arg-type]


# ---- where nobody is asked for a credential ------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1234", "localhost", "relay.localhost:1", "[::1]:1234", "192.168.1.5"]
)
async def test_everybody_may_look_at_a_server_that_asks_nobody(host: str) -> None:
    gate = make_gate(Anonymous())
    assert await gate.recognise(request(host=host)) == Observer("anybody", is_admin=False)
    assert await gate.check(request("whatever", host=host)) == "anybody"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:1234", "", "localhost.evil.example", "[::1"]
)
async def test_a_page_of_a_name_bound_to_our_address_may_not(host: str) -> None:
    """DNS rebinding: to a browser it is of our own origin."""
    with pytest.raises(Forbidden):
        await make_gate(Anonymous()).check(request(host=host))


async def test_a_name_is_fine_where_everybody_was_let_in_aloud_or_shows_a_token(
    files: dict[str, Path],
) -> None:
    gate = make_gate(Anonymous(), is_for_everybody=True)
    assert await gate.check(request(host="relay.example")) == "anybody"
    gate = make_gate(Anonymous(), None, files["observer"])
    shown = request(OBSERVER_TOKEN, host="relay.example")
    assert await gate.check(shown) == "the holder of the observer token"


async def test_with_a_token_for_observers_it_is_asked_for(files: dict[str, Path]) -> None:
    gate = make_gate(Anonymous(), None, files["observer"])
    for nobody in (request(), request("whatever")):
        with pytest.raises(Unauthorized):
            await gate.check(nobody)


async def test_an_administrator_is_known_also_where_everybody_may_look(
    files: dict[str, Path],
) -> None:
    gate = make_gate(Anonymous(), files["admin"])
    assert (await gate.recognise(request(ADMIN_TOKEN))).is_admin
    assert not (await gate.recognise(request())).is_admin


# ---- where they are ------------------------------------------------------------------------------


async def test_a_credential_is_needed_and_only_administrators_may_look(
    files: dict[str, Path],
) -> None:
    authority = Table({"ann": Permission.ADMIN, "bob": Permission.WRITE})
    gate = make_gate(authority, files["admin"], files["observer"])
    expected: dict[str, Observer | type[AdmissionRefused]] = {
        "ann": Observer("ann", is_admin=True),
        "bob": Forbidden,
        "eve": Unauthorized,
        ADMIN_TOKEN: Observer("the holder of the admin token", is_admin=True),
        OBSERVER_TOKEN: Observer("the holder of the observer token", is_admin=False),
    }
    for credential, verdict in expected.items():
        if isinstance(verdict, Observer):
            assert await gate.recognise(request(credential)) == verdict
        else:
            with pytest.raises(verdict):
                await gate.recognise(request(credential))
    with pytest.raises(Unauthorized):
        await gate.check(request())
    with pytest.raises(BadRequest):
        await gate.check(request("ann", "ann"))


async def test_a_host_of_any_name_is_fine_where_a_credential_is_needed() -> None:
    gate = make_gate(Table({"ann": Permission.ADMIN}))
    assert await gate.check(request("ann", host="relay.example")) == "ann"


async def test_the_observer_token_is_no_admin_token(files: dict[str, Path]) -> None:
    gate = make_gate(Table(), files["admin"], files["observer"])
    assert not (await gate.recognise(request(OBSERVER_TOKEN))).is_admin


async def test_a_poller_is_judged_once_in_a_while() -> None:
    """A hook is not asked 50 times a second; a refusal counts as long as a grant."""
    authority = Table({"ann": Permission.ADMIN})
    clock = Clock()
    gate = ObserverGate(authority, None, None, clock)
    for _ in range(50):
        await gate.check(request("ann"))
        with pytest.raises(Unauthorized):
            await gate.check(request("eve"))
    assert authority.asked == ["ann", "eve"]
    clock.now_s += OBSERVER_REMEMBERED_S
    await gate.check(request("ann"))
    assert authority.asked == ["ann", "eve", "ann"]


async def test_a_change_of_what_is_judged_by_counts_at_once() -> None:
    authority = Table({"ann": Permission.ADMIN})
    gate = make_gate(authority)
    await gate.check(request("ann"))
    authority.grants.clear()
    authority.version += 1
    with pytest.raises(Unauthorized):
        await gate.check(request("ann"))


async def test_when_nobody_decides_that_is_said_and_not_remembered() -> None:
    authority = Table({"ann": Permission.ADMIN}, is_silent=True)
    gate = make_gate(authority)
    with pytest.raises(DeciderUnavailable):
        await gate.check(request("ann"))
    authority.is_silent = False
    assert await gate.check(request("ann")) == "ann"


async def test_what_is_remembered_is_bounded_and_holds_no_credential() -> None:
    names = [f"somebody-{number}" for number in range(OBSERVERS_REMEMBERED_MAX + 10)]
    gate = make_gate(Table(dict.fromkeys(names, Permission.ADMIN)))
    for name in names:
        await gate.check(request(name))
    assert len(gate._judged) == OBSERVERS_REMEMBERED_MAX
    assert all(isinstance(shown, bytes) and len(shown) == 32 for shown in gate._judged)


async def test_who_may_not_is_judged_once_in_a_while_too() -> None:
    authority = Table({"bob": Permission.WRITE})
    gate = make_gate(authority)
    for _ in range(50):
        with pytest.raises(Forbidden):
            await gate.check(request("bob"))
    assert authority.asked == ["bob"]


async def test_a_token_that_has_changed_counts_no_more(files: dict[str, Path]) -> None:
    gate = make_gate(Table(), None, files["observer"])
    files["observer"].write_text("another-token-of-this-test\n")
    for _ in range(2):
        gate.refresh()
    with pytest.raises(Unauthorized):
        await gate.check(request(OBSERVER_TOKEN))
    assert await gate.check(request("another-token-of-this-test"))


@pytest.mark.parametrize("text", ["short\n", "", "two\nlines of some length\n"])
def test_a_file_that_holds_no_token_stops_the_start(files: dict[str, Path], text: str) -> None:
    files["observer"].write_text(text)
    with pytest.raises(ConfigError, match="observer"):
        make_gate(Table(), None, files["observer"])
