"""What stands in the directory of an export: a manifest, and a Yjs update for each document. Pure.

::

    manifest.json             {"format": "yjs export", "version": 1, "made_ms", "documents": [
                                {"name", "file", "byte_length", "sha256", "seq", "updated_ms"}]}
    documents/00000001.yjs    everything of one document as one update, encoding v1

A document's name is never a file's name. The manifest is written last: without it there is none.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final

from yjs_store.errors import ExportUnusable, NameRefused
from yjs_store.names import check_name

MANIFEST_FILE: Final = "manifest.json"
DOCUMENTS_DIRECTORY: Final = "documents"

_FORMAT: Final = "yjs export"
_VERSION: Final = 1
_FILE: Final = re.compile(rf"{DOCUMENTS_DIRECTORY}/\d{{8,12}}\.yjs", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ExportedDocument:
    """A document in an export; ``seq`` and ``updated_ms`` are of the store it came from."""

    name: str
    file: str
    byte_length: int
    sha256: str
    seq: int
    updated_ms: int

    def check(self, update: bytes) -> None:
        """Return when these are the bytes that were exported.

        Raises:
            ExportUnusable: they are not.
        """
        if len(update) != self.byte_length or sha256(update) != self.sha256:
            raise ExportUnusable(f"{self.file} is not what was exported of {self.name!r}")


def sha256(update: bytes) -> str:
    """Return the checksum of a file, as it stands in the manifest."""
    return hashlib.sha256(update).hexdigest()


def file_of(number: int) -> str:
    """Return the file of the document with this number, counted from 1."""
    return f"{DOCUMENTS_DIRECTORY}/{number:08d}.yjs"


def write_manifest(documents: list[ExportedDocument], now_ms: int) -> bytes:
    """Return the bytes of the manifest."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "made_ms": now_ms,
        "documents": [asdict(document) for document in documents],
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def read_manifest(data: bytes) -> list[ExportedDocument]:
    """Return the documents of an export.

    Raises:
        ExportUnusable: this is no manifest, or one of a newer version.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ExportUnusable(f"{MANIFEST_FILE} is no JSON") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ExportUnusable(f"{MANIFEST_FILE} is not that of an export")
    if content.get("version") != _VERSION:
        raise ExportUnusable(f"{MANIFEST_FILE} has version {content.get('version')!r}, not 1")
    entries = content.get("documents")
    if not isinstance(entries, list):
        raise ExportUnusable(f"{MANIFEST_FILE} lists no documents")
    documents = [_entry(number, entry) for number, entry in enumerate(entries)]
    if len({document.name for document in documents}) < len(documents):
        raise ExportUnusable(f"{MANIFEST_FILE} has a document twice")
    return documents


def _entry(number: int, entry: Any) -> ExportedDocument:
    try:
        document = ExportedDocument(**entry)
        if _is_one(document):
            return document
    except (TypeError, AttributeError, NameRefused):
        pass
    raise ExportUnusable(f"{MANIFEST_FILE}: entry {number} describes no document")


def _is_one(document: ExportedDocument) -> bool:
    numbers = (document.byte_length, document.seq, document.updated_ms)
    return (
        check_name(document.name) == document.name
        and _FILE.fullmatch(document.file) is not None
        and _SHA256.fullmatch(document.sha256) is not None
        and all(type(each) is int and each >= 0 for each in numbers)
    )
