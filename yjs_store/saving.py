"""How loading and saving one document in memory goes, for operators."""

from dataclasses import dataclass


@dataclass(slots=True)
class Saving:
    """Kept by its document. A save is a row, or what went round the journal.

    Times are milliseconds since 1970, durations seconds.
    """

    loaded_ms: int = 0
    load_s: float = 0.0
    saves: int = 0
    saved_ms: int | None = None
    save_s: float | None = None
