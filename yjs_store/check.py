"""Verifies stored documents and says what is wrong with which; changes nothing. Pure but for y-py.

A document is sound when every checksum, length, order and number holds (P4), and its updates
decode. An independent check decodes them with a second implementation and compares.
"""

from dataclasses import dataclass
from typing import TypeVar

from yjs_store import crdt, format
from yjs_store.errors import Damaged, UpdateRefused
from yjs_store.records import StoredDocument

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """What a check found; ``problem`` is None for a sound document.

    ``byte_length`` is what was read and verified, as stored.
    """

    document: str
    is_deleted: bool
    rows: int
    chunks: int
    byte_length: int
    problem: str | None


def check_stored(stored: StoredDocument, *, independent: bool = False) -> DocumentReport:
    """Check one document."""
    head = stored.sealed_head.head
    problem = None
    try:
        format.check_head(stored.sealed_head)
        if head.deleted_ms is None:
            updates = format.assemble(stored)[1]
            for update in updates:
                crdt.check_update(update)
            if independent:
                problem = _compare_decoders(updates)
    except Damaged as error:
        problem = f"{error.part}: expected {error.expected}, found {error.found}"
    except UpdateRefused as error:
        problem = f"content: {error}"
    return DocumentReport(
        document=head.name,
        is_deleted=head.deleted_ms is not None,
        rows=len(stored.rows),
        chunks=len(stored.chunks),
        byte_length=sum(len(row.data) for row in stored.rows)
        + sum(len(chunk.data) for chunk in stored.chunks),
        problem=problem,
    )


def _compare_decoders(updates: list[bytes]) -> str | None:
    """Integrate with pycrdt and with y-py; say how state vector and delete set differ."""
    # Imported here: y-py is an extra that only this check needs.
    import y_py  # noqa: PLC0415

    ours = crdt.Replica(updates).content()
    doc = y_py.YDoc()
    for update in updates:
        y_py.apply_update(doc, update)
    state_vector = y_py.encode_state_vector(doc)
    if crdt.parse_state_vector(state_vector) != _as_y_py(
        {c: r[-1][1] for c, r in ours.structs.items()}
    ):
        return "content: pycrdt and y-py come to different state vectors"
    deletes = crdt.parse_delete_set(y_py.encode_state_as_update(doc, state_vector))
    if deletes != _as_y_py(ours.deletes):
        return "content: pycrdt and y-py come to different delete sets"
    return None


def _as_y_py(by_client: dict[int, _Value]) -> dict[int, _Value]:
    """Return it with client ids as y-py 0.6 reads them.

    Its ids have 32 bits, where Yjs allows 53: each group of seven bits is shifted by its place
    modulo 32 and the groups are laid over each other. What browsers generate has 32 bits.
    """
    return {_wrapped(client): value for client, value in by_client.items()}


def _wrapped(client: int) -> int:
    wrapped = shift = 0
    while client:
        wrapped |= (client & 0x7F) << shift % 32
        client >>= 7
        shift += 7
    return wrapped & 0xFFFF_FFFF
