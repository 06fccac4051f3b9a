"""What folding through a Doc saves on real histories."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import pycrdt

from benchlib.markdown import format_markdown
from benchlib.real_histories import AUTOMERGE_PAPER, FRIENDSFOREVER, RealHistory, read_history
from benchlib.storage_program import StorageSetup
from yjs_store import crdt, format

_Result = TypeVar("_Result")
_UID: Final = bytes(format.UID_BYTES)


@dataclass(frozen=True, slots=True)
class Savings:
    """Of one history: bytes in each form, and the seconds that some take."""

    history: str
    updates: int
    update_bytes: int
    merged_bytes: int
    merged_stored_bytes: int
    folded_bytes: int
    stored_bytes: int
    merge_s: float
    fold_s: float
    load_updates_s: float
    load_merged_s: float
    load_folded_s: float


async def measure(setup: StorageSetup) -> None:
    """Print a row for each history."""
    found = [
        measure_history(read_history(setup.data, name, setup.seed))
        for name in (AUTOMERGE_PAPER, FRIENDSFOREVER)
    ]
    for savings in found:
        setup.report.note("savings", asdict(savings))
    setup.report.say(
        format_markdown(
            ["history", *(savings.history for savings in found)],
            [[label, *(cell(savings) for savings in found)] for label, cell in _ROWS.items()],
        )
    )


_ROWS: Final[dict[str, Callable[[Savings], str]]] = {
    "updates": lambda s: f"{s.updates:,}",
    "bytes as sent": lambda s: f"{s.update_bytes:,}",
    "merged, never through a Doc": lambda s: f"{s.merged_bytes:,}",
    "merged, after zstd": lambda s: f"{s.merged_stored_bytes:,}",
    "folded through a Doc": lambda s: f"{s.folded_bytes:,}",
    "folded, after zstd: what is stored": lambda s: f"{s.stored_bytes:,}",
    "stored, of the bytes as sent": lambda s: f"{s.stored_bytes / s.update_bytes:.1%}",
    "stored, of merged after zstd": lambda s: f"{s.stored_bytes / s.merged_stored_bytes:.1%}",
    "merge": lambda s: f"{s.merge_s * 1e3:,.0f} ms",
    "fold": lambda s: f"{s.fold_s * 1e3:,.0f} ms",
    "load from the updates": lambda s: f"{s.load_updates_s * 1e3:,.1f} ms",
    "load from merged": lambda s: f"{s.load_merged_s * 1e3:,.1f} ms",
    "load from folded": lambda s: f"{s.load_folded_s * 1e3:,.1f} ms",
}


# Of what is merged at once, applied as one transaction, a Doc takes time quadratic in its length.
_MERGED_AT_ONCE: Final = 500


def measure_history(history: RealHistory) -> Savings:
    """Bring one history into each form."""
    updates = history.updates
    slices = [
        updates[start : start + _MERGED_AT_ONCE]
        for start in range(0, len(updates), _MERGED_AT_ONCE)
    ]
    merge_s, merged = _timed(lambda: [crdt.merge(part) for part in slices])
    fold_s, folded = _timed(lambda: crdt.fold(updates)[0])
    return Savings(
        history=history.name,
        updates=len(updates),
        update_bytes=sum(map(len, updates)),
        merged_bytes=sum(map(len, merged)),
        merged_stored_bytes=_stored_bytes(b"".join(merged)),
        folded_bytes=len(folded),
        stored_bytes=_stored_bytes(folded),
        merge_s=merge_s,
        fold_s=fold_s,
        load_updates_s=_timed(lambda: _load(updates))[0],
        load_merged_s=_timed(lambda: _load(merged))[0],
        load_folded_s=_timed(lambda: _load([folded]))[0],
    )


def _load(updates: Sequence[bytes]) -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    for update in updates:
        doc.apply_update(update)


def _stored_bytes(update: bytes) -> int:
    return sum(len(chunk.data) for chunk in format.cut_chunks(_UID, update))


def _timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result
