"""The only maker and parser of stored bytes: checksums, rows, chunks, compression.

Every checksum is XXH3-128 over a kind byte, the document's uid, the position (seq or chunk
index), the other facts of the record as little-endian 64-bit numbers, and the bytes themselves,
so that a record found in the wrong place is as detectable as a flipped bit. It finds damage; it
is not a defence against somebody who writes the database file.
"""

import contextlib
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import xxhash

from yjs_store.errors import Damaged
from yjs_store.limits import SNAPSHOT_CHUNK_BYTES
from yjs_store.records import (
    Chunk,
    Head,
    JournalRow,
    SealedHead,
    Snapshot,
    StoredDocument,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UID_BYTES = 16
CODEC_RAW = "raw"
CODEC_ZSTD = "zstd"

_ZSTD_OPTIONS: Final[dict[int, int]] = {
    # Level 1 already brings a typical document to a third of its size, at a millisecond a
    # megabyte.
    zstd.CompressionParameter.compression_level: 1,
    # The frame's own checksum is over what went in, so that decompressing proves itself.
    zstd.CompressionParameter.checksum_flag: 1,
}

_row_facts = struct.Struct("<qqq").pack
_chunk_facts = struct.Struct("<qqqB").pack
_snapshot_facts = struct.Struct("<qqqq").pack
_head_facts = struct.Struct("<qqqqqqqqq").pack

# Stands for "no value" among numbers that are never negative.
_NONE = -1


def digest(kind: bytes, uid: bytes, facts: bytes, data: bytes) -> bytes:
    """Return the checksum of a record; each kind of record has a byte of its own."""
    hasher = xxhash.xxh3_128(kind + uid + facts)
    hasher.update(data)
    return hasher.digest()


@contextlib.contextmanager
def _typed(document: str, part: str) -> Iterator[None]:
    """Translate what a value of another type than was written brings about."""
    try:
        yield
    except (TypeError, AttributeError, struct.error) as error:
        raise Damaged(str(document), part, "values of their types", str(error)) from error


def _shown(checksum: object) -> str:
    return checksum.hex() if isinstance(checksum, bytes) else repr(checksum)


def seal_head(head: Head) -> SealedHead:
    """Return the head with the checksum over all its facts but the backend's own key."""
    return SealedHead(head, _head_checksum(head))


def check_head(sealed: SealedHead) -> Head:
    """Return the head.

    Raises:
        Damaged: the checksum does not match.
    """
    with _typed(sealed.head.name, "head"):
        expected = _head_checksum(sealed.head)
    if sealed.checksum != expected:
        raise Damaged(sealed.head.name, "head", expected.hex(), _shown(sealed.checksum))
    return sealed.head


def _head_checksum(head: Head) -> bytes:
    facts = _head_facts(
        head.last_seq,
        head.cut_seq,
        head.journal_bytes,
        _NONE if head.snapshot_id is None else head.snapshot_id,
        head.snapshot_bytes,
        head.created_ms,
        head.updated_ms,
        _NONE if head.deleted_ms is None else head.deleted_ms,
        head.oversized_count,
    )
    return digest(b"H", head.uid, facts, head.name.encode())


def seal_row(uid: bytes, seq: int, created_ms: int, update: bytes) -> JournalRow:
    """Return the journal row that holds ``update``."""
    facts = _row_facts(seq, created_ms, len(update))
    return JournalRow(seq, created_ms, len(update), digest(b"J", uid, facts, update), update)


def check_row(head: Head, row: JournalRow) -> bytes:
    """Return the update that the row holds.

    Raises:
        Damaged: length or checksum does not match.
    """
    part = f"journal row {row.seq}"
    with _typed(head.name, part):
        length = len(row.data)
        facts = _row_facts(row.seq, row.created_ms, row.byte_length)
        expected = digest(b"J", head.uid, facts, row.data)
    if length != row.byte_length:
        raise Damaged(head.name, part, f"{row.byte_length} bytes", f"{length} bytes")
    if row.checksum != expected:
        raise Damaged(head.name, part, expected.hex(), _shown(row.checksum))
    return row.data


def snapshot_manifest(
    uid: bytes, cut_seq: int, created_ms: int, update: bytes, chunks: Sequence[Chunk]
) -> Snapshot:
    """Return the manifest of ``update`` cut into ``chunks``; the backend gives it its id."""
    return Snapshot(
        snapshot_id=0,
        cut_seq=cut_seq,
        chunk_count=len(chunks),
        byte_length=len(update),
        stored_length=sum(len(chunk.data) for chunk in chunks),
        checksum=_snapshot_checksum(uid, cut_seq, created_ms, len(update), chunks),
        created_ms=created_ms,
    )


def _snapshot_checksum(
    uid: bytes, cut_seq: int, created_ms: int, byte_length: int, chunks: Sequence[Chunk]
) -> bytes:
    # Over the chunks' checksums and not over the bytes again: they are verified all the same,
    # and a check of a whole store need not decompress it.
    facts = _snapshot_facts(cut_seq, len(chunks), byte_length, created_ms)
    return digest(b"S", uid, facts, b"".join(chunk.checksum for chunk in chunks))


def cut_chunks(uid: bytes, update: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a snapshot in order; an empty update makes one empty chunk.

    Each is stored compressed when that makes it smaller.
    """
    for index, start in enumerate(range(0, max(len(update), 1), SNAPSHOT_CHUNK_BYTES)):
        raw = update[start : start + SNAPSHOT_CHUNK_BYTES]
        packed = zstd.compress(raw, options=_ZSTD_OPTIONS)
        codec, data = (CODEC_ZSTD, packed) if len(packed) < len(raw) else (CODEC_RAW, raw)
        yield Chunk(index, codec, len(raw), _chunk_checksum(uid, index, codec, raw, data), data)


def _chunk_checksum(uid: bytes, index: int, codec: str, raw: bytes, data: bytes) -> bytes:
    facts = _chunk_facts(index, len(raw), len(data), _CODEC_NUMBER[codec])
    return digest(b"C", uid, facts, data)


_CODEC_NUMBER = {CODEC_RAW: 0, CODEC_ZSTD: 1}


def check_chunk(head: Head, chunk: Chunk) -> bytes:
    """Return the raw bytes of the chunk.

    Raises:
        Damaged: checksum, codec or raw length does not match.
    """
    verify_chunk(head, chunk)
    part = f"snapshot {head.snapshot_id} chunk {chunk.index}"
    raw = _decompress(head, part, chunk)
    if len(raw) != chunk.byte_length:
        raise Damaged(head.name, part, f"{chunk.byte_length} raw bytes", f"{len(raw)} raw bytes")
    return raw


def verify_chunk(head: Head, chunk: Chunk) -> None:
    """Verify the chunk as it is stored.

    Raises:
        Damaged: checksum or codec does not match.
    """
    part = f"snapshot {head.snapshot_id} chunk {chunk.index}"
    number = _CODEC_NUMBER.get(chunk.codec)
    if number is None:
        raise Damaged(head.name, part, f"codec {' or '.join(_CODEC_NUMBER)}", repr(chunk.codec))
    with _typed(head.name, part):
        is_bounded = 0 <= chunk.byte_length <= SNAPSHOT_CHUNK_BYTES
        facts = _chunk_facts(chunk.index, chunk.byte_length, len(chunk.data), number)
        expected = digest(b"C", head.uid, facts, chunk.data)
    if not is_bounded:
        bound = f"at most {SNAPSHOT_CHUNK_BYTES} raw bytes"
        raise Damaged(head.name, part, bound, f"{chunk.byte_length}")
    if chunk.checksum != expected:
        raise Damaged(head.name, part, expected.hex(), _shown(chunk.checksum))


def _decompress(head: Head, part: str, chunk: Chunk) -> bytes:
    if chunk.codec == CODEC_RAW:
        return chunk.data
    try:
        # Bounded: a chunk says at most SNAPSHOT_CHUNK_BYTES, and one byte more would be damage.
        decompressor = zstd.ZstdDecompressor()
        raw = decompressor.decompress(chunk.data, max_length=chunk.byte_length + 1)
    except zstd.ZstdError as error:
        raise Damaged(head.name, part, "a zstd frame", str(error)) from error
    if not decompressor.eof and len(raw) <= chunk.byte_length:
        raise Damaged(head.name, part, "a whole zstd frame", "one that ends early")
    return raw


def join_snapshot(head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> bytes:
    """Return the update that a snapshot holds.

    Raises:
        Damaged: a chunk is missing, out of order or damaged, or the whole does not match.
    """
    update = b"".join(check_chunk(head, chunk) for chunk in chunks)
    _check_manifest(head, snapshot, chunks)
    return update


def _check_manifest(head: Head, snapshot: Snapshot, chunks: Sequence[Chunk]) -> None:
    """Compare a manifest with chunks that have been verified each."""
    part = f"snapshot {snapshot.snapshot_id}"
    found = [chunk.index for chunk in chunks]
    if len(found) != snapshot.chunk_count or found != list(range(len(found))):
        raise Damaged(head.name, part, f"{snapshot.chunk_count!r} chunks", f"those of {found}")
    byte_length = sum(chunk.byte_length for chunk in chunks)
    with _typed(head.name, part):
        expected = _snapshot_checksum(
            head.uid, snapshot.cut_seq, snapshot.created_ms, byte_length, chunks
        )
    if snapshot.checksum != expected or byte_length != snapshot.byte_length:
        raise Damaged(head.name, part, expected.hex(), _shown(snapshot.checksum))


def assemble(stored: StoredDocument) -> tuple[Head, list[bytes]]:
    """Verify everything read of a document; return its head and its updates, oldest first (P4).

    Raises:
        Damaged: a checksum, a length, the order or the number of rows or chunks is wrong.
    """
    head = check_head(stored.sealed_head)
    snapshot = _named_snapshot(head, stored)
    updates = [] if snapshot is None else [join_snapshot(head, snapshot, stored.chunks)]
    updates.extend(_check_rows(head, stored.rows))
    return head, updates


def verify(stored: StoredDocument) -> None:
    """Verify everything as it is stored, without decompressing it.

    Raises:
        Damaged: as ``assemble``.
    """
    head = check_head(stored.sealed_head)
    snapshot = _named_snapshot(head, stored)
    if snapshot is not None:
        for chunk in stored.chunks:
            verify_chunk(head, chunk)
        _check_manifest(head, snapshot, stored.chunks)
    for _ in _check_rows(head, stored.rows):
        pass


def _named_snapshot(head: Head, stored: StoredDocument) -> Snapshot | None:
    if head.snapshot_id is None:
        if head.cut_seq != 0 and head.deleted_ms is None:
            raise Damaged(head.name, "head", "a snapshot", f"none, with cut_seq {head.cut_seq}")
        return None
    snapshot = stored.snapshot
    if snapshot is None:
        raise Damaged(head.name, f"snapshot {head.snapshot_id}", "a manifest", "none")
    if snapshot.cut_seq != head.cut_seq:
        part = f"snapshot {head.snapshot_id}"
        raise Damaged(head.name, part, f"cut_seq {head.cut_seq}", f"{snapshot.cut_seq}")
    return snapshot


def _check_rows(head: Head, rows: Sequence[JournalRow]) -> Iterator[bytes]:
    """Yield the updates of the rows cut_seq+1 … last_seq, of which none may be missing."""
    seq_next = head.cut_seq + 1
    journal_bytes = 0
    for row in rows:
        if row.seq != seq_next:
            raise Damaged(head.name, "journal", f"row {seq_next}", f"row {row.seq}")
        yield check_row(head, row)
        journal_bytes += row.byte_length
        seq_next += 1
    if seq_next != head.last_seq + 1:
        raise Damaged(head.name, "journal", f"rows up to {head.last_seq}", f"up to {seq_next - 1}")
    if journal_bytes != head.journal_bytes:
        raise Damaged(head.name, "journal", f"{head.journal_bytes} bytes", f"{journal_bytes} bytes")
