"""What a run counts, and how it says so."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(slots=True)
class Tally:
    """Counts over a whole run; times in seconds."""

    seed: int
    seconds: float = 0.0
    kills: int = 0
    sent: int = 0
    acknowledged: int = 0
    verified: int = 0
    seen: int = 0
    pastes: int = 0
    snapshots: int = 0
    oversized: int = 0
    unfinished: int = 0
    documents: int = 0
    second_decoder: bool = True
    recoveries_s: list[float] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many acknowledged updates are not in their document."""
        return self.acknowledged - self.verified

    def rows(self) -> list[tuple[str, str]]:
        """Return what a reader wants to know, in words and figures."""
        times_s = self.recoveries_s or [0.0]
        return [
            ("seed", str(self.seed)),
            ("seconds", f"{self.seconds:.0f}"),
            ("kills with SIGKILL", f"{self.kills:,}"),
            ("documents", f"{self.documents:,}"),
            ("updates sent", f"{self.sent:,}"),
            ("updates acknowledged (echoed) before their kill", f"{self.acknowledged:,}"),
            ("of these found in the store after it", f"{self.verified:,}"),
            ("**lost**", f"**{self.lost:,}**"),
            ("frames seen by clients, all found in the store", f"{self.seen:,}"),
            ("snapshots published", f"{self.snapshots:,}"),
            ("of these by an oversized update", f"{self.oversized:,}"),
            ("oversized updates sent", f"{self.pastes:,}"),
            ("kills in the middle of a snapshot", f"{self.unfinished:,}"),
            ("stored documents decoded alike by", self._decoders()),
            (
                "start to all clients synchronized",
                f"median {median(times_s):.2f} s, max {max(times_s):.2f} s",
            ),
        ]

    def _decoders(self) -> str:
        return "pycrdt and y-py" if self.second_decoder else "pycrdt alone (y-py is not there)"

    def as_text(self) -> str:
        """Return the summary for a terminal."""
        rows = [(what.strip("*"), figure.strip("*")) for what, figure in self.rows()]
        width = max(len(what) for what, _ in rows)
        return "\n".join(f"{what:<{width}}  {figure}" for what, figure in rows)

    def as_markdown(self) -> str:
        """Return the summary as a table."""
        lines = ["| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in self.rows())]
        return "\n".join([*lines, "", *(f"- LOSS: {loss}" for loss in self.losses)]).rstrip() + "\n"
