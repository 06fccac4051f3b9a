"""yjs_store.format: stored bytes, which are not used before their checksums are found right."""

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from yjs_store import Damaged, Head, JournalRow, format
from yjs_store.limits import SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES
from yjs_store.records import Chunk, SealedHead, Snapshot, StoredDocument

UID = bytes(range(16))
OTHER_UID = bytes(range(1, 17))

HEAD = Head(
    document_id=5,
    name="näme",
    uid=UID,
    last_seq=12,
    cut_seq=9,
    journal_bytes=9,
    snapshot_id=3,
    snapshot_bytes=4,
    created_ms=1_700_000_000_000,
    updated_ms=1_700_000_000_001,
    deleted_ms=None,
    oversized_count=0,
)

updates = st.binary(min_size=1, max_size=50)


def stored_document(rows: list[bytes], snapshot: bytes | None = b"base") -> StoredDocument:
    """A document as a backend would give it, all of it sound."""
    cut_seq = 0 if snapshot is None else 9
    chunks = [] if snapshot is None else list(format.cut_chunks(UID, snapshot))
    head = replace(
        HEAD,
        cut_seq=cut_seq,
        last_seq=cut_seq + len(rows),
        journal_bytes=sum(map(len, rows)),
        snapshot_id=None if snapshot is None else 3,
        snapshot_bytes=len(snapshot or b""),
    )
    manifest = None
    if snapshot is not None:
        manifest = replace(
            format.snapshot_manifest(UID, cut_seq, 77, snapshot, chunks), snapshot_id=3
        )
    return StoredDocument(
        sealed_head=format.seal_head(head),
        snapshot=manifest,
        chunks=tuple(chunks),
        rows=tuple(
            format.seal_row(UID, cut_seq + 1 + index, 1000 + index, row)
            for index, row in enumerate(rows)
        ),
    )


def flip(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(flipped)


# ---- the bytes are those of engineering/format.md -----------------------------------------------


def expected_checksum(kind: bytes, facts: list[int], data: bytes, codec: bytes = b"") -> bytes:
    packed = struct.pack(f"<{len(facts)}q", *facts)
    return xxhash.xxh3_128(kind + UID + packed + codec + data).digest()


def test_a_head_is_sealed_as_the_format_says() -> None:
    facts = [12, 9, 9, 3, 4, 1_700_000_000_000, 1_700_000_000_001, -1, 0]
    assert format.seal_head(HEAD).checksum == expected_checksum(b"H", facts, "näme".encode())
    fresh = replace(HEAD, snapshot_id=None, deleted_ms=8)
    facts = [12, 9, 9, -1, 4, 1_700_000_000_000, 1_700_000_000_001, 8, 0]
    assert format.seal_head(fresh).checksum == expected_checksum(b"H", facts, "näme".encode())


def test_a_row_is_sealed_as_the_format_says() -> None:
    row = format.seal_row(UID, 12, 99, b"update")
    assert row == JournalRow(12, 99, 6, expected_checksum(b"J", [12, 99, 6], b"update"), b"update")


def test_chunks_and_manifest_are_sealed_as_the_format_says() -> None:
    random_bytes = random.Random(1).randbytes(1000)
    snapshot = b"x" * SNAPSHOT_CHUNK_BYTES + random_bytes
    packed, plain = chunks = list(format.cut_chunks(UID, snapshot))
    assert (packed.index, packed.codec, packed.byte_length) == (0, "zstd", SNAPSHOT_CHUNK_BYTES)
    facts = [0, SNAPSHOT_CHUNK_BYTES, len(packed.data)]
    assert packed.checksum == expected_checksum(b"C", facts, packed.data, b"\x01")
    assert packed.data[:4] == bytes.fromhex("28b52ffd")
    assert packed.data[4] & 0x04, "the frame has a checksum of its content"
    assert len(packed.data) < 1000
    plain_checksum = expected_checksum(b"C", [1, 1000, 1000], random_bytes, b"\x00")
    assert plain == Chunk(1, "raw", 1000, plain_checksum, random_bytes)
    manifest = format.snapshot_manifest(UID, 9, 77, snapshot, chunks)
    assert manifest == Snapshot(
        snapshot_id=0,
        cut_seq=9,
        chunk_count=2,
        byte_length=len(snapshot),
        stored_length=len(packed.data) + 1000,
        checksum=expected_checksum(
            b"S", [9, 2, len(snapshot), 77], packed.checksum + plain_checksum
        ),
        created_ms=77,
    )


# ---- what was written is read -------------------------------------------------------------------


@given(st.lists(updates, max_size=5), st.none() | st.binary(max_size=50))
def test_a_sound_document_is_assembled_oldest_first(
    rows: list[bytes], snapshot: bytes | None
) -> None:
    stored = stored_document(rows, snapshot)
    head, assembled = format.assemble(stored)
    assert head == stored.sealed_head.head
    assert assembled == [*([] if snapshot is None else [snapshot]), *rows]


@pytest.mark.parametrize(
    "length",
    [0, 1, SNAPSHOT_CHUNK_BYTES - 1, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_CHUNK_BYTES + 1, 1_300_000],
)
@pytest.mark.parametrize("is_compressible", [True, False])
def test_a_snapshot_is_joined_from_its_chunks(length: int, is_compressible: bool) -> None:
    update = b"x" * length if is_compressible else random.Random(length).randbytes(length)
    chunks = list(format.cut_chunks(UID, update))
    assert len(chunks) == max(1, -(-length // SNAPSHOT_CHUNK_BYTES))
    assert all(len(chunk.data) <= chunk.byte_length for chunk in chunks)
    manifest = format.snapshot_manifest(UID, 9, 0, update, chunks)
    assert format.join_snapshot(HEAD, manifest, chunks) == update


# ---- what is not what was written is damage -----------------------------------------------------


@given(st.integers(0, 8 * 6 - 1))
def test_a_flipped_bit_in_a_row_is_damage(bit: int) -> None:
    """Field note 11."""
    row = format.seal_row(UID, 12, 99, b"update")
    with pytest.raises(Damaged, match="journal row 12"):
        format.check_row(HEAD, replace(row, data=flip(row.data, bit)))


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 11},
        {"seq": -1},
        {"created_ms": 98},
        {"byte_length": 5},
        {"byte_length": -6},
        {"data": b"updat"},
        {"data": b"update\x00"},
        {"data": b""},
        {"checksum": b""},
        {"checksum": bytes(16)},
    ],
)
def test_a_row_with_any_fact_changed_is_damage(change: dict[str, Any]) -> None:
    """Field note 11."""
    with pytest.raises(Damaged, match="näme"):
        format.check_row(HEAD, replace(format.seal_row(UID, 12, 99, b"update"), **change))


def test_a_row_of_another_life_of_the_document_is_damage() -> None:
    row = format.seal_row(OTHER_UID, 12, 99, b"update")
    with pytest.raises(Damaged):
        format.check_row(HEAD, row)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "name"},
        {"uid": OTHER_UID},
        {"last_seq": 13},
        {"cut_seq": 8},
        {"journal_bytes": 8},
        {"snapshot_id": 4},
        {"snapshot_id": None},
        {"snapshot_bytes": 5},
        {"created_ms": 0},
        {"updated_ms": 0},
        {"deleted_ms": 0},
    ],
)
def test_a_head_with_any_fact_changed_is_damage(change: dict[str, Any]) -> None:
    """Field note 11."""
    sealed = format.seal_head(HEAD)
    assert format.check_head(sealed) == HEAD
    with pytest.raises(Damaged, match="head"):
        format.check_head(SealedHead(replace(HEAD, **change), sealed.checksum))


@pytest.mark.parametrize(
    "change",
    [
        {"index": 1},
        {"codec": "raw"},
        {"codec": "lz4"},
        {"byte_length": 99},
        {"byte_length": 101},
        {"byte_length": -1},
        {"byte_length": SNAPSHOT_CHUNK_BYTES + 1},
        {"data": b""},
        {"checksum": bytes(16)},
    ],
)
def test_a_chunk_with_any_fact_changed_is_damage(change: dict[str, Any]) -> None:
    """Field note 11."""
    (chunk,) = format.cut_chunks(UID, b"x" * 100)
    assert chunk.codec == "zstd"
    assert format.check_chunk(HEAD, chunk) == b"x" * 100
    with pytest.raises(Damaged, match="snapshot 3 chunk"):
        format.check_chunk(HEAD, replace(chunk, **change))


@given(st.integers(0, 10_000))
def test_a_flipped_bit_in_a_chunk_is_damage(bit: int) -> None:
    """Field note 11."""
    (chunk,) = format.cut_chunks(UID, b"some text, some text, some text, some text, some text")
    with pytest.raises(Damaged):
        format.check_chunk(HEAD, replace(chunk, data=flip(chunk.data, bit)))


def sealed_chunk(raw: bytes, byte_length: int, data: bytes) -> Chunk:
    """A chunk that tells of another raw length than it has, under a checksum that is right."""
    checksum = expected_checksum(b"C", [0, byte_length, len(data)], data, b"\x01")
    return Chunk(0, "zstd", byte_length, checksum, data)


def test_a_chunk_is_unpacked_no_further_than_it_says() -> None:
    (packed,) = format.cut_chunks(UID, b"x" * SNAPSHOT_CHUNK_BYTES)
    for byte_length in (0, 10, SNAPSHOT_CHUNK_BYTES - 1):
        with pytest.raises(Damaged, match="raw bytes"):
            format.check_chunk(HEAD, sealed_chunk(b"", byte_length, packed.data))


@pytest.mark.parametrize("damage", [b"", b"not zstd at all", b"\x28\xb5\x2f\xfd"])
def test_a_chunk_that_does_not_unpack_is_damage(damage: bytes) -> None:
    with pytest.raises(Damaged, match="zstd"):
        format.check_chunk(HEAD, sealed_chunk(b"", 10, damage))


def three_chunks() -> tuple[Snapshot, list[Chunk]]:
    update = random.Random(3).randbytes(2 * SNAPSHOT_CHUNK_BYTES + 7)
    chunks = list(format.cut_chunks(UID, update))
    return format.snapshot_manifest(UID, 9, 0, update, chunks), chunks


@pytest.mark.parametrize("order", [[], [0], [0, 1], [1, 2], [0, 2], [0, 2, 1], [0, 1, 2, 2]])
def test_a_missing_repeated_or_misplaced_chunk_is_damage(order: list[int]) -> None:
    """Field note 11."""
    manifest, chunks = three_chunks()
    with pytest.raises(Damaged, match="3 chunks"):
        format.join_snapshot(HEAD, manifest, [chunks[index] for index in order])


@pytest.mark.parametrize(
    "change",
    [
        {"cut_seq": 8},
        {"chunk_count": 0},
        {"chunk_count": 2},
        {"chunk_count": 4},
        {"chunk_count": -3},
        {"byte_length": 0},
        {"byte_length": SNAPSHOT_BYTES_MAX + 1},
        {"created_ms": 1},
        {"checksum": bytes(16)},
        {"chunk_count": 1 << 62},
    ],
)
def test_a_manifest_with_any_fact_changed_is_damage(change: dict[str, Any]) -> None:
    """Field note 11."""
    manifest, chunks = three_chunks()
    with pytest.raises(Damaged):
        format.join_snapshot(HEAD, replace(manifest, **change), chunks)


def test_chunks_of_another_snapshot_of_the_document_are_damage() -> None:
    manifest, chunks = three_chunks()
    others = list(format.cut_chunks(UID, random.Random(4).randbytes(manifest.byte_length)))
    with pytest.raises(Damaged):
        format.join_snapshot(HEAD, manifest, [chunks[0], others[1], chunks[2]])


def without_row(stored: StoredDocument, index: int) -> StoredDocument:
    return replace(stored, rows=stored.rows[:index] + stored.rows[index + 1 :])


def reseal(stored: StoredDocument, **change: Any) -> StoredDocument:
    return replace(stored, sealed_head=format.seal_head(replace(stored.sealed_head.head, **change)))


ROWS = [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda stored: without_row(stored, 0), id="the first row is missing"),
        pytest.param(lambda stored: without_row(stored, 1), id="a row is missing"),
        pytest.param(lambda stored: without_row(stored, 2), id="the last row is missing"),
        pytest.param(
            lambda stored: replace(stored, rows=stored.rows[::-1]), id="rows out of order"
        ),
        pytest.param(
            lambda stored: replace(stored, rows=(*stored.rows, stored.rows[2])),
            id="a row is there twice",
        ),
        pytest.param(
            lambda stored: replace(
                stored, rows=(*stored.rows, format.seal_row(UID, 13, 0, b"extra"))
            ),
            id="a sound row beyond last_seq",
        ),
        pytest.param(
            lambda stored: replace(stored, rows=(format.seal_row(UID, 9, 0, b"x"), *stored.rows)),
            id="a row that is in the snapshot",
        ),
        pytest.param(lambda stored: replace(stored, snapshot=None), id="the manifest is missing"),
        pytest.param(lambda stored: replace(stored, chunks=()), id="the chunks are missing"),
        pytest.param(
            lambda stored: replace(stored, snapshot=replace(stored.snapshot, cut_seq=8)),
            id="a manifest of another cut",
        ),
        # What follows has right checksums: it is inconsistent, not flipped.
        pytest.param(lambda stored: reseal(stored, last_seq=13), id="a later last_seq"),
        pytest.param(lambda stored: reseal(stored, last_seq=11), id="an earlier last_seq"),
        pytest.param(lambda stored: reseal(stored, cut_seq=8), id="an earlier cut_seq"),
        pytest.param(lambda stored: reseal(stored, cut_seq=10), id="a later cut_seq"),
        pytest.param(lambda stored: reseal(stored, journal_bytes=10), id="other journal bytes"),
        pytest.param(lambda stored: reseal(stored, snapshot_id=None), id="a cut and no snapshot"),
    ],
)
def test_an_incomplete_or_inconsistent_document_is_damage(
    damage: Callable[[StoredDocument], StoredDocument],
) -> None:
    """Field note 11: never a truncated document in place of the real one."""
    with pytest.raises(Damaged, match="näme"):
        format.assemble(damage(stored_document(ROWS)))


@given(st.lists(updates, min_size=1, max_size=4), st.data())
def test_any_flipped_bit_of_a_document_is_damage(rows: list[bytes], data: st.DataObject) -> None:
    """Field notes 11 and 12."""
    stored = stored_document(rows)
    index = data.draw(st.integers(0, len(rows) - 1))
    bit = data.draw(st.integers(0, 8 * len(rows[index]) - 1))
    flipped = replace(stored.rows[index], data=flip(rows[index], bit))
    with pytest.raises(Damaged) as raised:
        format.assemble(
            replace(stored, rows=(*stored.rows[:index], flipped, *stored.rows[index + 1 :]))
        )
    assert raised.value.document == "näme"
    assert raised.value.part == f"journal row {flipped.seq}"


@pytest.mark.parametrize(
    "change",
    [
        {"seq": None},
        {"created_ms": b"99"},
        {"byte_length": 6.0},
        {"data": "update"},
        {"data": None},
        {"checksum": None},
    ],
)
def test_a_value_of_another_type_is_damage(change: dict[str, Any]) -> None:
    """Field note 11: SQLite stores a value's type beside it, where a bit can flip as well."""
    with pytest.raises(Damaged):
        format.check_row(HEAD, replace(format.seal_row(UID, 12, 99, b"update"), **change))
