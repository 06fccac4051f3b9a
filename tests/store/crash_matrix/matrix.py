"""Every recording, every point, every way to crash; and the verdict on what was left."""

import asyncio
import contextlib
import hashlib
import itertools
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from store.crashes import Model, check_recovery, found_in
from store.disk.operations import Files
from store.stores import WatchedBackend, store_over
from yjs_store.backends.sqlite_schema import SCHEMA_VERSION

from .recording import WAL_CHECKPOINT, Environment, Recording, record, write_files
from .schemas import made_up_migration, old_store
from .scripts import CLOSING, a_little, everything

KILLED = "killed"
POWER_CUT = "power cut, nothing unsynced is left"
TORN = "power cut, anything unsynced is left"
VARIANTS = (KILLED, POWER_CUT, TORN)

CREATION = "creation of the schema"
MIGRATION = "migration of the schema"
RECOVERY = "opening after a crash"

KINDS = (
    CREATION,
    MIGRATION,
    "append",
    "append to many documents",
    "oversized append",
    "checkpoint: stage",
    "checkpoint: verify",
    "checkpoint: publish",
    "trim",
    "delete",
    "forget",
    "salvage",
    "discard what was set aside",
    "act",
    "switch",
    "lift",
    WAL_CHECKPOINT,
    CLOSING,
    "opening",
    RECOVERY,
)

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Crash:
    """What one crash left, and what may be there."""

    script: str
    number: int
    kind: str
    variant: str
    done: int
    files: Files
    candidates: Sequence[Model]
    environment: Environment

    @property
    def name(self) -> str:
        """Which crash it is, for a person."""
        return f"{self.script}, after operation {self.number} ({self.kind}; {self.variant})"

    @property
    def fingerprint(self) -> bytes:
        """Equal for crashes in the same work that left the same, with as much acknowledged."""
        work = f"{self.script}/{self.kind}/{self.done}"
        digest = hashlib.blake2b(work.encode(), digest_size=16)
        for file, content in sorted(self.files.items()):
            digest.update(f"/{file}/{len(content)}/".encode() + content)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Loss:
    """What is wrong with what one crash left."""

    kind: str
    text: str


def crashes_of(
    recording: Recording, torn_count: int, numbers: Collection[int] | None = None
) -> Iterator[Crash]:
    """Crash at every point: killed, the power cut, and the power cut in so many torn ways.

    With ``numbers`` only at these points.
    """
    for number, point, disk in recording.disks():
        if numbers is not None and number not in numbers:
            continue
        left = [(KILLED, disk.after_kill()), (POWER_CUT, disk.after_power_cut())]
        for seed in range(torn_count):
            random = Random(f"{recording.name} {number} {seed}")
            left.append((TORN, disk.after_torn_power_cut(random)))
        for variant, files in left:
            yield Crash(
                recording.name,
                number,
                point.kind,
                variant,
                point.done,
                files,
                recording.candidates[point.done],
                recording.environment,
            )


async def record_all(directory: Path, recoveries: int) -> list[Recording]:
    """Record every script; and the opening after so many of the crashes in them."""
    recordings = [
        await record(directory / "everything", everything(), opening=CREATION),
        await record(
            directory / "a small WAL", everything(), opening=CREATION, wal_autocheckpoint=3
        ),
    ]
    for version in range(1, SCHEMA_VERSION + 1):
        files, model = old_store(version)
        is_current = version == SCHEMA_VERSION
        recordings.append(
            await record(
                directory / f"schema {version}",
                a_little(),
                opening=MIGRATION,
                start=files,
                start_model=model,
                environment=made_up_migration if is_current else contextlib.nullcontext,
            )
        )
    recordings.extend(await _record_recoveries(directory, recordings, recoveries))
    return recordings


async def _record_recoveries(
    directory: Path, recordings: Sequence[Recording], count: int
) -> list[Recording]:
    """Open what a crash left, and see every point of that as one to crash again."""
    crashes = [
        crash
        for recording in recordings
        for crash in sample(recording, per_kind=count, torn_count=1)
        if crash.files.get("-wal")  # there is something to recover
    ]
    chosen = Random("recoveries").sample(crashes, min(count, len(crashes)))
    return [
        await record(
            directory / f"recovery {number}",
            a_little(),
            opening=RECOVERY,
            start=crash.files,
            start_model=await _model_of(crash, directory / f"look {number}"),
            environment=crash.environment,
        )
        for number, crash in enumerate(chosen, start=1)
    ]


async def _model_of(crash: Crash, directory: Path) -> Model:
    """Which of the candidates a crash left."""
    directory.mkdir()
    write_files(directory / "store.db", crash.files)
    with crash.environment():
        async with store_over(WatchedBackend(directory / "store.db")) as store:
            model = await found_in(store, crash.candidates)
    assert model is not None, f"{crash.name}: lost something"
    return model


def sample(recording: Recording, per_kind: int, torn_count: int) -> list[Crash]:
    """Crash at a few points of every kind, always the same ones."""
    random = Random(f"sample of {recording.name}")
    numbers: dict[str, list[int]] = {}
    for number, point in enumerate(recording.points):
        numbers.setdefault(point.kind, []).append(number)
    chosen = {
        number
        for alike in numbers.values()
        for number in random.sample(alike, min(per_kind, len(alike)))
    }
    return list(crashes_of(recording, torn_count, chosen))


def different(crashes: Iterable[Crash]) -> list[Crash]:
    """One of those that left the same when the same was acknowledged."""
    return list({crash.fingerprint: crash for crash in crashes}.values())


async def find_losses(crashes: Iterable[Crash], directory: Path) -> list[Loss]:
    """Open what each crash left; return what is wrong, one for each that lost something."""
    losses: list[Loss] = []
    # What holds while a crash is looked at holds for the whole process.
    for environment, group in itertools.groupby(
        different(crashes), key=lambda crash: crash.environment
    ):
        with environment():
            for batch in _batches(list(group)):
                verdicts = await asyncio.gather(
                    *(_verdict(crash, directory / str(place)) for place, crash in enumerate(batch))
                )
                losses.extend(verdict for verdict in verdicts if verdict is not None)
    return losses


def _batches(crashes: Sequence[Crash]) -> Iterator[Sequence[Crash]]:
    """Several at a time: most of it is waiting for the disk."""
    return (crashes[start : start + _AT_ONCE] for start in range(0, len(crashes), _AT_ONCE))


async def _verdict(crash: Crash, directory: Path) -> Loss | None:
    """What is wrong with what a crash left; None when nothing is."""
    directory.mkdir(parents=True)
    write_files(directory / "store.db", crash.files)
    try:
        await check_recovery(directory / "store.db", crash.candidates, crash.name)
    except Exception as error:  # noqa: BLE001  (whatever it is, this crash brought it about)
        return Loss(crash.kind, f"{crash.name}: {type(error).__name__}: {error}")
    finally:
        shutil.rmtree(directory)
    return None
