"""Writes documents of a store into a directory, and reads back what was written."""

import os
from collections.abc import Sequence
from pathlib import Path

from yjs_store.errors import ExportUnusable
from yjs_store.export_format import (
    DOCUMENTS_DIRECTORY,
    MANIFEST_FILE,
    ExportedDocument,
    file_of,
    read_manifest,
    sha256,
    write_manifest,
)
from yjs_store.limits import SNAPSHOT_BYTES_MAX
from yjs_store.reading import read_whole


def begin_export(directory: Path) -> None:
    """Make the directory, which must be empty if it is there.

    Raises:
        ExportUnusable: there is something in it, or it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ExportUnusable(f"{directory} is not empty")
        (directory / DOCUMENTS_DIRECTORY).mkdir()
    except OSError as error:
        raise _not_written(directory, error) from error


def export_document(url: str, name: str, directory: Path, number: int) -> ExportedDocument:
    """Write everything of one document into the file with that number; read it back.

    On return it is on the disk. It may end the process; see ``Apart``.

    Raises:
        ExportUnusable: it could not be written, or reads otherwise.
        StoreError: as ``read_whole``.
    """
    whole = read_whole(url, name)
    head = whole.head
    return export_update(
        name, whole.update, directory, number, seq=head.last_seq, updated_ms=head.updated_ms
    )


def export_update(
    name: str, update: bytes, directory: Path, number: int, *, seq: int, updated_ms: int
) -> ExportedDocument:
    """Write the bytes of a document into the file with that number; read them back.

    On return they are on the disk.

    Raises:
        ExportUnusable: as ``export_document``.
    """
    exported = ExportedDocument(
        name, file_of(number), len(update), sha256(update), seq=seq, updated_ms=updated_ms
    )
    _write(directory / exported.file, update)
    read_exported(directory, exported)
    return exported


def finish_export(directory: Path, documents: Sequence[ExportedDocument], now_ms: int) -> None:
    """Write the manifest; on return the export is whole and on the disk.

    Raises:
        ExportUnusable: it could not be written.
    """
    path = directory / MANIFEST_FILE
    part = path.with_suffix(".part")
    data = write_manifest(list(documents), now_ms)
    assert read_manifest(data) == list(documents), "what is written can be read"
    _write(part, data)
    try:
        part.rename(path)
        for each in (directory / DOCUMENTS_DIRECTORY, directory):
            _sync_directory(each)
    except OSError as error:
        raise _not_written(path, error) from error


def open_export(directory: Path) -> list[ExportedDocument]:
    """Return what an export has.

    Raises:
        ExportUnusable: it is none, or was not finished.
    """
    try:
        data = (directory / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise ExportUnusable(f"{directory} is no export: it has no {MANIFEST_FILE}") from error
    return read_manifest(data)


def read_exported(directory: Path, document: ExportedDocument) -> bytes:
    """Return the update of a document in an export.

    Raises:
        ExportUnusable: it is not what was exported.
    """
    path = directory / document.file
    try:
        # As many bytes as were written, whatever has become of the file.
        if path.stat().st_size > SNAPSHOT_BYTES_MAX:
            raise ExportUnusable(f"{path} is larger than any document")
        update = path.read_bytes()
    except OSError as error:
        raise ExportUnusable(f"{path} cannot be read: {error.strerror}") from error
    document.check(update)
    return update


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _not_written(path, error) from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> ExportUnusable:
    return ExportUnusable(f"{path} cannot be written: {error.strerror}")
