"""What is done to a store while the disk is recorded, and what is there after each step."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import pytest

from store.crashes import ACTS, SWITCHES, Model, act_note, switch_note
from store.editing import Editor, letters
from store.stores import Recorder
from yjs_store import AuditRecord, Store, format
from yjs_store import document as document_module
from yjs_store.backends import sqlite_trim

CLOSING = "closing"

CHUNK_BYTES = 2000
ROW_BYTES_MAX = 6000
# Values of a map: as one struct each they are quickly compared. They do not compress.
SEVERAL_CHUNKS = Random("several chunks").randbytes(CHUNK_BYTES + 500).hex()
TOO_LARGE_FOR_A_ROW = Random("too large").randbytes(ROW_BYTES_MAX // 2 + 500).hex()


class Run(Protocol):
    """A store that a script works on."""

    store: Store

    async def trim(self) -> None:
        """Trim all that is dead."""

    async def reopen(self) -> None:
        """Close the store and open it again."""

    def hold_reader(self) -> None:
        """Let somebody read on and on from what is there now."""

    def release_reader(self) -> None:
        """Let him end."""


def _nothing(_: Model) -> None:
    """The content stays as it is."""


@dataclass(frozen=True)
class Step:
    """One call, the kind of work that it is, and what it does to the documents."""

    kind: str
    call: Callable[[Run], Awaitable[object]]
    apply: Callable[[Model], object] = _nothing


@contextmanager
def small_limits() -> Iterator[None]:
    """Make what needs megabytes in the field happen with kilobytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(format, "SNAPSHOT_CHUNK_BYTES", CHUNK_BYTES)
        patch.setattr(document_module, "JOURNAL_ROW_BYTES_MAX", ROW_BYTES_MAX)
        patch.setattr(sqlite_trim, "TRIM_ROWS_STEP", 2)
        patch.setattr(sqlite_trim, "TRIM_CHUNKS_STEP", 2)
        yield


def models_of(script: Sequence[Step], start: Model) -> list[list[Model]]:
    """For so many steps acknowledged: what may be there, nothing else."""
    model = dict(start)
    candidates: list[list[Model]] = []
    for step in script:
        before = _copy(model)
        step.apply(model)
        candidates.append([before, _copy(model)])
    candidates.append([model])
    return candidates


def _copy(model: Model) -> Model:
    return {name: updates and list(updates) for name, updates in model.items()}


# ---- steps ----------------------------------------------------------------------------------


def append(name: str, update: bytes) -> Step:
    return Step(
        "append",
        lambda run: run.store.append(name, update),
        lambda model: _add(model, name, update),
    )


def read_only(name: str | None, reason: str) -> Step:
    """Take no more updates: of a document or, with None, of any."""

    def apply(model: Model) -> None:
        model[SWITCHES] = sorted([*(model.get(SWITCHES) or []), switch_note(name, reason)])

    return Step("switch", lambda run: run.store.set_read_only(name, reason, "ann"), apply)


def lift(name: str | None = None) -> Step:
    """Take them again."""

    def apply(model: Model) -> None:
        left = switch_note(name, "")
        model[SWITCHES] = [note for note in model.get(SWITCHES) or [] if not note.startswith(left)]

    return Step("lift", lambda run: run.store.lift_read_only(name), apply)


def act(action: str, name: str | None, result: str) -> Step:
    """Keep what an operator wants to do, or what came of it."""
    record = AuditRecord(0, 1_700_000_000_000, "ann", action, name, False, result, {})

    def apply(model: Model) -> None:
        model[ACTS] = [*(model.get(ACTS) or []), act_note(action, name, result)]

    return Step("act", lambda run: run.store.audit(record), apply)


def append_to_many(updates: dict[str, bytes]) -> Step:
    """One commit."""

    async def call(run: Run) -> None:
        documents = [await run.store.open_document(name) for name in updates]
        recorder = Recorder()
        for document, update in zip(documents, updates.values(), strict=True):
            document.submit(update, recorder)  # without an await between them: they gather
        for document in documents:
            await document.wait_settled()
        assert len(recorder.receipts) == len(updates)
        for document in documents:
            run.store.release_document(document)

    def apply(model: Model) -> None:
        for name, update in updates.items():
            _add(model, name, update)

    return Step("append to many documents", call, apply)


def append_oversized(name: str, update: bytes) -> Step:
    return Step(
        "oversized append",
        lambda run: run.store.append(name, update),
        lambda model: _add(model, name, update),
    )


def checkpoint(name: str) -> Step:
    return Step("checkpoint", lambda run: run.store.checkpoint(name))


def trim() -> Step:
    return Step("trim", lambda run: run.trim())


def delete(name: str) -> Step:
    return Step(
        "delete", lambda run: run.store.delete(name), lambda model: model.update({name: None})
    )


def forget(name: str) -> Step:
    return Step("forget", lambda run: run.store.forget(name), lambda model: model.pop(name))


def salvage(name: str) -> Step:
    """As for a damaged document; of a sound one everything is saved."""

    async def call(run: Run) -> None:
        await run.store.salvage(await run.store.plan_salvage(name))

    return Step("salvage", call)


def discard_set_aside() -> Step:
    async def call(run: Run) -> None:
        for aside in await run.store.list_set_aside():
            assert await run.store.discard_set_aside(aside.document_id)

    return Step("discard what was set aside", call)


def reopen() -> Step:
    return Step(CLOSING, lambda run: run.reopen())


def read_meanwhile(*steps: Step) -> list[Step]:
    """While somebody reads, a wal_checkpoint copies a part, and the WAL cannot begin anew."""

    async def hold(run: Run) -> None:
        run.hold_reader()

    async def release(run: Run) -> None:
        run.release_reader()

    return [Step("append", hold), *steps, Step("append", release)]


def _add(model: Model, name: str, update: bytes) -> None:
    updates: Any = model.setdefault(name, [])
    updates.append(update)


# ---- scripts --------------------------------------------------------------------------------


def everything() -> list[Step]:
    """Every kind of work on a few documents, among them one that lives twice."""
    ann, bob, cleo = Editor(7), Editor(8), Editor(9)
    a, b, c, d = ann.write_letters("abcd")
    return [
        append("n", a),
        append("m", bob.write("bob")),
        append("n", Editor(3).put("large", SEVERAL_CHUNKS)),
        append("n", b),
        append_to_many({"n": Editor(10).put("k", 1), "m": bob.erase(0, 1), "p": cleo.write("p")}),
        checkpoint("n"),
        append_oversized("n", Editor(4).put("larger", TOO_LARGE_FOR_A_ROW)),
        append("n", d),  # its predecessor is not there
        checkpoint("m"),
        trim(),
        append_oversized("q", Editor(5).put("larger", TOO_LARGE_FOR_A_ROW)),
        *read_meanwhile(
            append("n", c), append("p", cleo.write("q")), checkpoint("n"), append("p", cleo.push(1))
        ),
        append("n", ann.erase(0, 1)),
        trim(),
        delete("m"),
        forget("m"),
        append("m", letters("again", 12)[0]),
        act("read-only", "n", "intent"),
        read_only("n", "audit"),
        act("read-only", "n", "set"),
        append("p", cleo.write("r")),
        read_only(None, "moving"),
        lift(),
        act("compact", "n", "intent"),
        checkpoint("n"),
        act("compact", "n", "compacted"),
        lift("n"),
        read_only("p", "later"),
        append_to_many({name: Editor(13).put(name, 2) for name in ("m", "n", "r", "s", "t")}),
        reopen(),
        lift("p"),
        append("n", ann.write("e")),
        append("n", ann.write("f")),
        append("n", ann.write("g")),
        checkpoint("n"),
        append("n", ann.write("!")),
        salvage("n"),
        append("n", ann.write("?")),
        trim(),
        discard_set_aside(),
        trim(),
        delete("q"),
        trim(),
        append("n", ann.write("h")),
    ]


def a_little() -> list[Step]:
    """What is done after a migration, or after a crash, to see it survive the next."""
    return [lift(), append("new", letters("n", 14)[0]), checkpoint("new"), trim()]
