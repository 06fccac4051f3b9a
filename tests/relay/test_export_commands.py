"""Documents out of a store and into another: all of them, whole, and read back."""

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from relay_process import ServerProcess, run
from relay_support import pending, text_of, text_update

from relay.cli import main
from yjs_store import Damaged, Store, import_update, open_store

HOSTILE = ["../../etc/passwd", "a/b", "\u202egnp.exe", "$(reboot)", "…", ".", "x" * 500]


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def write(path: Path, documents: dict[str, list[bytes]]) -> str:
    async def append() -> None:
        async with open_store(url_of(path)) as store:
            for name, updates in documents.items():
                for update in updates:
                    await store.append(name, update)

    asyncio.run(append())
    return url_of(path)


def read(url: str) -> dict[str, bytes]:
    async def load() -> dict[str, bytes]:
        async with open_store(url) as store:
            heads = await store.list_heads()
            return {head.name: await store.load(head.name) for head in heads}

    return asyncio.run(load())


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def store(tmp_path: Path) -> str:
    documents = {name: [text_update(name, 3), text_update("!", 4)] for name in HOSTILE}
    documents["waits"] = [pending()[0]]
    return write(tmp_path / "relay.db", documents)


def test_everything_goes_out_and_comes_in_again(store: str, tmp_path: Path) -> None:
    out, other = tmp_path / "out", url_of(tmp_path / "other.db")
    done = call("export", "--all", "--store", store, str(out))
    assert done.exit_code == 0, done.output
    assert done.output.startswith("8 documents, ")
    # A name is no file's name.
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == [*(f"documents/{n:08d}.yjs" for n in range(1, 9)), "manifest.json"]
    done = call("import", "--store", other, str(out))
    assert done.exit_code == 0, done.output
    before, after = read(store), read(other)
    assert after.keys() == before.keys()
    for name in HOSTILE:
        assert text_of(after[name]) == text_of(before[name])
        assert name in text_of(after[name])
    # Field note 2: what waits for its predecessor is there when that comes.
    write(tmp_path / "other.db", {"waits": [pending()[1]]})
    assert text_of(read(other)["waits"]) == "first second"


def test_the_manifest_says_what_is_in_the_files(store: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("export", "--store", store, "a/b", "waits", str(out)).exit_code == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["format"], manifest["version"]) == ("yjs export", 1)
    first, second = manifest["documents"]
    assert (first["name"], first["seq"], second["name"]) == ("a/b", 2, "waits")
    for entry in (first, second):
        update = (out / entry["file"]).read_bytes()
        assert len(update) == entry["byte_length"]
        assert hashlib.sha256(update).hexdigest() == entry["sha256"]
    assert text_of((out / first["file"]).read_bytes()) in ("a/b!", "!a/b")


def test_a_prefix_chooses(store: str, tmp_path: Path) -> None:
    done = call(
        "export", "--all", "--prefix", "../", "--json", "--store", store, str(tmp_path / "o")
    )
    (line,) = done.output.splitlines()
    assert json.loads(line)["document"] == "../../etc/passwd"


def test_a_running_server_is_not_disturbed(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        run("connect", server.url, "doc", "--send", "typed", cwd=tmp_path)
        done = run("export", "--all", "--store", server.store_url, "out", cwd=tmp_path)
        assert done.returncode == 0, done
        run("connect", server.url, "doc", "--send", " and more", cwd=tmp_path)
        # And it does not lose its store to somebody who imports.
        done = run("import", "--store", server.store_url, "out", cwd=tmp_path)
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1
        assert done.stderr.endswith(": stop the server, or let it do this by --url\n")
    assert text_of((tmp_path / "out/documents/00000001.yjs").read_bytes()) == "typed"
    assert text_of(read(server.store_url)["doc"]) == "typed and more"


def test_an_export_leaves_the_store_as_it_was(store: str, tmp_path: Path) -> None:
    before = (tmp_path / "relay.db").read_bytes()
    assert call("export", "--all", "--store", store, str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "relay.db").read_bytes() == before


def test_what_is_damaged_is_left_out_and_named(store: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "relay.db") as connection:
        connection.execute(
            "UPDATE journal SET data = x'00' WHERE document_id ="
            " (SELECT id FROM documents WHERE name = 'a/b')"
        )
        connection.execute("UPDATE documents SET last_seq = 7 WHERE name = '.'")
    connection.close()
    out = tmp_path / "out"
    done = call("export", "--all", "--store", store, str(out))
    assert done.exit_code == 1
    assert "LEFT OUT  a/b  document 'a/b' is damaged: journal row 1" in done.output
    assert "LEFT OUT  .  document '.' is damaged: " in done.output
    assert "6 documents, " in done.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest["documents"]) == 6
    assert not {"a/b", "."} & {entry["name"] for entry in manifest["documents"]}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["out"], 2, "name documents, or say --all"),
        (["--all", "doc", "out"], 2, "name documents, or say --all"),
        (["--prefix", "x", "doc", "out"], 2, "--prefix is for --all"),
        (["a\nb", "out"], 2, "control character"),
        (["nobody", "out"], 1, "there is no document"),
        (["--all", "full"], 1, "is not empty"),
    ],
)
def test_what_cannot_be_exported_is_said(
    store: str, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = run("export", "--store", store, *arguments, cwd=tmp_path)
    assert done.returncode == code, done
    assert said in done.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = run("export", "--all", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "Error: there is no store at data/relay.db\n")
    assert list(tmp_path.iterdir()) == []


# ---- import -------------------------------------------------------------------------------------


@pytest.fixture
def exported(store: str, tmp_path: Path) -> Path:
    out = tmp_path / "exported"
    assert call("export", "--store", store, "a/b", "waits", str(out)).exit_code == 0
    return out


def outcomes(result: Result) -> dict[str, str]:
    entries = map(json.loads, result.output.splitlines())
    return {entry["document"]: entry["outcome"] for entry in entries}


def test_twice_is_as_once(exported: Path, tmp_path: Path) -> None:
    other = url_of(tmp_path / "other.db")
    once = call("import", "--json", "--store", other, str(exported))
    assert outcomes(once) == {"a/b": "created", "waits": "created"}
    again = call("import", "--json", "--store", other, str(exported))
    assert (again.exit_code, outcomes(again)) == (0, {"a/b": "known", "waits": "known"})


def test_another_document_of_the_name_is_left_alone_unless_it_may_be_merged(
    exported: Path, tmp_path: Path
) -> None:
    """Field note 26: merging is not going back."""
    other = write(tmp_path / "other.db", {"a/b": [text_update("mine", 7)]})
    done = call("import", "--json", "--store", other, str(exported))
    assert (done.exit_code, outcomes(done)) == (1, {"a/b": "exists", "waits": "created"})
    assert text_of(read(other)["a/b"]) == "mine"
    done = call("import", "--json", "--merge", "--store", other, str(exported))
    assert (done.exit_code, outcomes(done)) == (0, {"a/b": "merged", "waits": "known"})
    assert all(part in text_of(read(other)["a/b"]) for part in ("mine", "a/b", "!"))


def test_deleted_stays_deleted(exported: Path, tmp_path: Path) -> None:
    """P9."""
    path = tmp_path / "other.db"
    other = write(path, {"a/b": [text_update("x")]})

    async def delete() -> None:
        async with open_store(other) as opened:
            await opened.delete("a/b")

    asyncio.run(delete())
    done = call("import", "--merge", "--store", other, str(exported))
    assert done.exit_code == 1
    assert "a/b  NOT IMPORTED: document 'a/b' was deleted" in done.output


def test_a_file_that_was_changed_is_left_out(exported: Path, tmp_path: Path) -> None:
    update = exported / "documents/00000001.yjs"
    update.write_bytes(text_update("forged"))
    done = call("import", "--store", url_of(tmp_path / "other.db"), str(exported))
    assert done.exit_code == 1
    assert "a/b  NOT IMPORTED: documents/00000001.yjs is not what was exported" in done.output
    update.unlink()
    done = call("import", "--store", url_of(tmp_path / "other.db"), str(exported))
    assert "a/b  NOT IMPORTED: " in done.output
    assert "cannot be read" in done.output
    assert read(url_of(tmp_path / "other.db")).keys() == {"waits"}


def test_what_is_imported_is_tried_as_from_a_client(tmp_path: Path) -> None:
    """P5: a file may come from anybody."""
    (tmp_path / "bad.yjs").write_bytes(b"no update")
    done = call(
        "import", "--as", "x", "--store", url_of(tmp_path / "r.db"), str(tmp_path / "bad.yjs")
    )
    assert done.exit_code == 1
    assert "x  NOT IMPORTED: " in done.output
    assert read(url_of(tmp_path / "r.db")) == {}


def test_one_update_becomes_a_document(tmp_path: Path) -> None:
    (tmp_path / "one.yjs").write_bytes(text_update("from elsewhere"))
    store = url_of(tmp_path / "relay.db")
    done = call("import", "--as", "notes/one", "--store", store, str(tmp_path / "one.yjs"))
    assert (done.exit_code, done.output) == (0, "notes/one  imported\n")
    assert text_of(read(store)["notes/one"]) == "from elsewhere"


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"format": "yjs export", "version": 2, "documents": []}',
        b'{"format": "yjs export", "version": 1}',
        b'{"format": "yjs export", "version": 1, "documents": [{}]}',
        b'{"format": "yjs export", "version": 1, "documents": ["x"]}',
    ],
)
def test_what_is_no_manifest_is_said(tmp_path: Path, manifest: bytes) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "manifest.json").write_bytes(manifest)
    done = call("import", "--store", url_of(tmp_path / "relay.db"), str(source))
    assert done.exit_code == 1
    assert done.output.startswith("Error: manifest.json")
    assert not (tmp_path / "relay.db").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"file": "../../etc/passwd"},
        {"file": "documents/../00000001.yjs"},
        {"name": "a\nb"},
        {"name": ""},
        {"name": 1},
        {"sha256": "0"},
        {"byte_length": -1},
        {"byte_length": True},
        {"more": 1},
    ],
)
def test_an_entry_names_no_file_but_its_own(
    exported: Path, tmp_path: Path, changed: dict[str, object]
) -> None:
    path = exported / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["documents"][0] |= changed
    path.write_text(json.dumps(manifest))
    done = call("import", "--store", url_of(tmp_path / "other.db"), str(exported))
    assert (done.exit_code, done.output) == (
        1,
        "Error: manifest.json: entry 0 describes no document\n",
    )


def test_an_export_that_was_not_finished_is_none(exported: Path, tmp_path: Path) -> None:
    (exported / "manifest.json").unlink()
    done = call("import", "--store", url_of(tmp_path / "other.db"), str(exported))
    assert done.exit_code == 1
    assert "is no export: it has no manifest.json" in done.output


def test_a_file_needs_a_name_and_a_directory_has_its_own(exported: Path, tmp_path: Path) -> None:
    store = ["--store", url_of(tmp_path / "other.db")]
    assert call("import", *store, "--as", "x", str(exported)).exit_code == 2
    assert call("import", *store, str(exported / "manifest.json")).exit_code == 2


async def test_what_did_not_become_durable_is_not_said_to_be_imported() -> None:
    """The store is read back; here it forgets what it was given."""

    class Forgetful:
        async def head(self, _name: str) -> None:
            return None

        async def append(self, _name: str, _update: bytes) -> None:
            pass

        async def load(self, _name: str) -> bytes:
            return b"\x00\x00"

    store: Store = Forgetful()  # type: ignore[assignment]
    with pytest.raises(Damaged, match="everything that was imported"):
        await import_update(store, "x", text_update("x"), merge=False)
