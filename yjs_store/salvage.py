"""Finds out how much of a damaged document can be saved, and says what cannot. Pure.

Every row and every snapshot that verifies is taken, dead ones too: an update more changes
nothing. Of a snapshot with a broken chunk everything before it is taken.

What was deleted may come back: a deletion that stood only in a lost row, or at the end of a
snapshot that is broken (its delete set comes last), is lost like anything else, while the text it
deleted may still stand in a row. Any editor that has seen the deletion repeats it with its first
sync; until then nothing that is stored tells such text from the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from yjs_store import crdt, format
from yjs_store.errors import Damaged, UpdateRefused
from yjs_store.records import Head, JournalRow, Remains, SnapshotRemains
from yjs_store.update_v1 import Ranges, joined, read_ranges, whole_part


@dataclass(frozen=True, slots=True)
class SalvagePlan:
    """What would take the place of a damaged document.

    ``update`` is everything that can be saved. ``lost`` names what cannot, each with its reason;
    it is empty when nothing is damaged. ``missing`` are clocks, per client, that others build
    on: whoever has them gives them back when he connects. ``last_seq`` is the highest number
    that a checksum vouches for.
    """

    remains: Remains
    update: bytes
    lost: tuple[str, ...]
    missing: Ranges
    rows_saved: int
    last_seq: int

    @property
    def saves_nothing(self) -> bool:
        """Whether there is nothing to put in the place of the damaged document."""
        return self.update == crdt.EMPTY_UPDATE


def plan(remains: Remains, *, unverified: bool = False, known: Sequence[bytes] = ()) -> SalvagePlan:
    """Return the most that can be saved.

    With ``unverified`` rows are taken that decode although their checksum is wrong. ``known``
    are updates from elsewhere, from memory, say.
    """
    search = _Search(remains.sealed_head.head, unverified, list(remains.unreadable))
    head = _believed(search, remains)
    snapshots = [update for part in remains.snapshots for update in search.open_snapshot(part)]
    # The snapshot has what is in the dead rows; that one is broken is no loss by itself.
    cut_seq = 0 if head is None or search.lost else head.cut_seq
    rows = [row for row in remains.rows if search.take_row(row, is_needed=_is_after(row, cut_seq))]
    if head is not None:
        search.miss_rows(head, remains.rows)
    update = search.fold([*snapshots, *(row.data for row in rows), *known])
    if not search.lost and remains.refused is not None:
        search.lost.append(remains.refused)
    return SalvagePlan(
        remains,
        update,
        tuple(search.lost),
        _gaps(read_ranges(update)[0]),
        len(rows),
        max([1, *search.seqs, 0 if head is None else head.last_seq]),
    )


def _believed(search: "_Search", remains: Remains) -> Head | None:
    try:
        return format.check_head(remains.sealed_head)
    except Damaged as error:
        search.lose(error)
        if remains.sealed_head.head.deleted_ms is not None:
            search.lost.append("it may have been deleted, and this would bring it back")
        return None


@dataclass(slots=True)
class _Search:
    """Looks at one part after the other, and keeps a list of what is lost.

    ``seqs`` are the numbers of what verified. No other is believed: a document that went on
    from a wrong one could come to the end of all numbers.
    """

    head: Head
    unverified: bool
    lost: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)

    def lose(self, error: Damaged, addition: str = "") -> None:
        self.lost.append(f"{error.part}{addition}: expected {error.expected}, found {error.found}")

    def take_row(self, row: JournalRow, *, is_needed: bool) -> bool:
        try:
            crdt.check_update(format.check_row(self.head, row))
        except Damaged as error:
            is_taken = self.unverified and _decodes(row.data)
            stored = f", stored {_shown_time(row.created_ms)}"
            addition = f"{stored} (decodes, and is taken unverified)" if is_taken else stored
            if is_needed:
                self.lose(error, addition)
            return is_taken and is_needed
        except UpdateRefused as error:
            if is_needed:
                self.lost.append(f"journal row {row.seq}: {error}")
            return False
        self.seqs.append(row.seq)
        return True

    def miss_rows(self, head: Head, rows: Sequence[JournalRow]) -> None:
        """Note which rows of the live journal are not there at all."""
        found = {row.seq for row in rows}
        missing = [seq for seq in range(head.cut_seq + 1, head.last_seq + 1) if seq not in found]
        for first, last in _runs(missing):
            rows_text = f"row {first}" if first == last else f"rows {first} to {last}"
            self.lost.append(f"journal {rows_text}: not there")

    def open_snapshot(self, part: SnapshotRemains) -> Iterator[bytes]:
        """Yield what a snapshot holds; only of the one that counts it is a loss if it is broken."""
        manifest = part.manifest
        problem = Damaged(self.head.name, f"snapshot {part.snapshot_id}", "a manifest", "none")
        if manifest is not None:
            try:
                yield format.join_snapshot(self.head, manifest, part.chunks)
            except Damaged as error:
                problem = error
            else:
                self.seqs.append(manifest.cut_seq)
                return
        if part.snapshot_id == self.head.snapshot_id:
            self.lose(problem)
        yield from self._beginning(part)

    def _beginning(self, part: SnapshotRemains) -> Iterator[bytes]:
        raw: list[bytes] = []
        for index, chunk in enumerate(part.chunks):
            try:
                if chunk.index != index:
                    break
                raw.append(format.check_chunk(self.head, chunk))
            except Damaged:
                break
        try:
            beginning = whole_part(b"".join(raw))
            crdt.check_update(beginning)
        except UpdateRefused:
            return
        if beginning != crdt.EMPTY_UPDATE:
            yield beginning

    def fold(self, updates: list[bytes]) -> bytes:
        """Fold what integrates; note what does not."""
        try:
            return crdt.fold(updates)[0]
        except crdt.IntegrationFailed:
            return crdt.fold(list(self._integrable(updates)))[0]

    def _integrable(self, updates: list[bytes]) -> list[bytes]:
        replica, sound = crdt.Replica(), list[bytes]()
        for update in updates:
            try:
                replica.integrate(update)
            except crdt.IntegrationFailed as error:
                self.lost.append(f"an update of {len(update)} bytes: {error}")
                replica = crdt.Replica(sound)
            else:
                sound.append(update)
        return sound


def _is_after(row: JournalRow, cut_seq: int) -> bool:
    # P4: a damaged number may be of another type.
    seq: object = row.seq
    return not isinstance(seq, int) or seq > cut_seq


def _decodes(data: object) -> bool:
    try:
        crdt.check_update(data if isinstance(data, bytes) else b"")
    except UpdateRefused:
        return False
    return True


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return sorted numbers as runs, each by its first and last."""
    return [(start, end - 1) for start, end in joined([(number, number + 1) for number in numbers])]


def _gaps(structs: Ranges) -> Ranges:
    """Return the clocks before and between those that are there."""
    gaps: Ranges = {}
    for client, ranges in structs.items():
        ends = [0, *(end for _, end in ranges)]
        between = [(end, start) for end, (start, _) in zip(ends, ranges, strict=False)]
        gaps[client] = [gap for gap in between if gap[0] < gap[1]]
    return {client: ranges for client, ranges in gaps.items() if ranges}


def _shown_time(milliseconds: object) -> str:
    if not isinstance(milliseconds, int) or not 0 <= milliseconds < _YEAR_3000_MS:
        return "at an unknown time"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(" ", "seconds")


_YEAR_3000_MS = 32_503_680_000_000
