"""What is described of the admin routes holds of a running server, whatever is asked."""

import asyncio
import contextlib
import secrets
import time
from pathlib import Path
from urllib.parse import quote

import pycrdt
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from relay.admin.operations import ADMIN_OPERATIONS
from relay.debug.openapi import describe
from yjs_store import open_store

from .conftest import StartServer

# For all routes together; each is asked at least a few times however slow the machine is.
BUDGET_S = 25.0
EXAMPLES = 12
EXAMPLES_LEAST = 3
NAME = "notes/known"


async def test_nothing_that_is_asked_contradicts_the_description(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Also what is malformed on purpose: refused, in the shape that is described, never 500."""
    token = secrets.token_hex(16)
    token_file = tmp_path / "token"
    token_file.write_text(token)
    token_file.chmod(0o600)
    store = f"sqlite:///{tmp_path / 'asked.db'}"
    async with open_store(store) as opened:
        await opened.append(NAME, pycrdt.Doc({"text": pycrdt.Text("text")}).get_update())
        await opened.quarantine.put(NAME, b"refused", "why", "who")
    server = await start_server(
        *("--store", store, "--enable-admin-routes", "--admin-token-file", str(token_file))
    )
    await asyncio.to_thread(ask, server.url.replace("ws://", "http://"), token)
    await server.stop()
    async with open_store(store) as opened:
        results = {act.result for act in (await opened.list_audit(limit=1000)).acts}
        # Much of it was done, and not only refused.
        assert results >= {"intent", "noop", "refused", "compacted", "deleted"}, results


def ask(url: str, token: str) -> None:
    schema = schemathesis.openapi.from_dict(describe("0", ADMIN_OPERATIONS))
    schema.config.update(base_url=url)
    # What is asked rightly may still be refused for what has become of a document meanwhile.
    acceptance = schema.config.checks.positive_data_acceptance
    acceptance.expected_statuses = [*acceptance.expected_statuses, "410", "422"]
    began_s = time.monotonic()
    found = [result for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) == len(ADMIN_OPERATIONS)
    for result in found:
        for mode in GenerationMode:
            is_late = time.monotonic() - began_s > BUDGET_S
            ask_one(result.ok(), mode, token, EXAMPLES_LEAST if is_late else EXAMPLES)


def ask_one(operation: "APIOperation", mode: GenerationMode, token: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Case) -> None:
        if mode is GenerationMode.POSITIVE and "document" in case.path_parameters:
            # Of the names that it makes up there is no document.
            case.path_parameters["document"] = quote(NAME, safe="")
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"})

    # Of a route without parameters nothing can be malformed.
    with contextlib.suppress(Unsatisfiable):
        check()
