"""Whole documents are read, proven and bounded, in a process that may end."""

import os
import signal
from pathlib import Path

import pytest

from yjs_store import (
    Apart,
    Damaged,
    DocumentDeleted,
    DocumentMissing,
    ExportUnusable,
    Poisoned,
    StoreUnusable,
    begin_export,
    crdt,
    export_document,
    exporting,
    list_heads,
    list_names,
    open_store,
    read_whole,
)
from yjs_store.errors import StoreError

from .editing import letters as typed


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/store.db"
    async with open_store(url) as store:
        for name in ("a/1", "a/2", "b", "gone"):
            await store.append(name, crdt.merge(typed(name)))
        await store.delete("gone")
    return url


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse() -> None:
    raise DocumentMissing("x")


def test_what_ends_its_process_is_poisoned_and_the_next_has_another() -> None:
    with Apart() as apart:
        first = apart.run("x", os.getpid)
        with pytest.raises(Poisoned, match="document 'x' is poisoned"):
            apart.run("x", die)
        second = apart.run("y", os.getpid)
        assert len({first, second, os.getpid()}) == 3
        assert apart.run("y", os.getpid) == second
        with pytest.raises(DocumentMissing):
            apart.run("x", refuse)


def test_a_process_that_works_for_ever_is_ended() -> None:
    with Apart() as apart, pytest.raises(Poisoned):
        apart.run("x", work_for_ever)


def work_for_ever() -> None:
    import resource  # noqa: PLC0415

    from yjs_store import apart  # noqa: PLC0415

    apart.TRIAL_CPU_S = 0  # type: ignore[misc]
    apart.bound_this_process(1)
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    while True:
        pass


def test_a_process_gets_no_more_memory_than_a_trial() -> None:
    with Apart() as apart, pytest.raises(Poisoned, match="too much memory"):
        apart.run("x", take_memory)


def take_memory() -> int:
    from yjs_store import bound_this_process  # noqa: PLC0415

    bound_this_process(1)
    return len(bytearray(1 << 30))


async def test_a_document_is_read_whole(url: str) -> None:
    with Apart() as apart:
        whole = apart.run("a/1", read_whole, url, "a/1")
    assert (whole.head.name, whole.head.last_seq) == ("a/1", 1)
    source = crdt.fold(typed("a/1"))[1]
    assert crdt.difference(source, whole.update) is None


@pytest.mark.parametrize(
    ("name", "error"), [("nobody", DocumentMissing), ("gone", DocumentDeleted)]
)
def test_what_is_not_there_is_said(url: str, name: str, error: type[StoreError]) -> None:
    with Apart() as apart, pytest.raises(error):
        apart.run(name, read_whole, url, name)


def test_a_fold_that_lost_something_is_not_given_out(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3."""
    fold = crdt.fold
    monkeypatch.setattr(crdt, "fold", lambda updates: (crdt.EMPTY_UPDATE, fold(updates)[1]))
    monkeypatch.setattr("yjs_store.reading.bound_this_process", lambda _: None)
    with pytest.raises(Damaged, match="the structs differ"):
        read_whole(url, "b")


def test_heads_are_listed_by_prefix_tombstones_too(url: str) -> None:
    def names(prefix: str) -> list[str]:
        return [head.name for head in list_heads(url, prefix) if not isinstance(head, Damaged)]

    assert names("") == ["a/1", "a/2", "b", "gone"]
    assert names("a/") == ["a/1", "a/2"]


async def test_names_are_listed_as_far_as_asked(url: str) -> None:
    assert await list_names(url, "a", 1) == ["a/1"]
    assert await list_names(url, "", 10) == ["a/1", "a/2", "b"]


async def test_no_store_is_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable):
        await list_names(f"sqlite:///{tmp_path}/none.db", "", 10)
    assert list(tmp_path.iterdir()) == []


def test_everything_of_an_update_is_covered_or_not() -> None:
    first, second = typed("ab")
    assert crdt.covers_all(crdt.merge([first, second]), first)
    assert not crdt.covers_all(first, second)
    assert not crdt.covers_all(first, crdt.delete_everything(b"\x01\x07\x01"))


def test_what_the_disk_does_not_give_back_is_not_exported(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_write", lambda path, data: path.write_bytes(data[:-1]))
    monkeypatch.setattr("yjs_store.reading.bound_this_process", lambda _: None)
    begin_export(tmp_path / "out")
    with pytest.raises(ExportUnusable, match="is not what was exported of 'b'"):
        export_document(url, "b", tmp_path / "out", 1)
