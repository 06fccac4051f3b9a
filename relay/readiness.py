"""Whether this process should be sent clients, and why not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from yjs_store import Trouble


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is said of it to anybody who asks: kinds of trouble, but no names and no reasons."""

    is_ready: bool
    status: str
    because: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the body of ``/health/ready``."""
        shown: dict[str, object] = {"status": self.status}
        return shown | {"because": list(self.because)} if self.because else shown

    def as_line(self) -> str:
        """Return it as a line for a person."""
        return ": ".join([self.status, *([", ".join(self.because)] if self.because else [])])


def readiness(troubles: Sequence[Trouble], *, is_draining: bool) -> Readiness:
    """Return what the kinds of trouble come to, of a process that has opened its store."""
    if is_draining:
        return Readiness(False, "draining")
    if Trouble.STORAGE in troubles:
        return Readiness(False, "storage failing")
    if troubles:
        # It serves, and safely; somebody should look.
        because = dict.fromkeys(trouble.value for trouble in troubles)
        return Readiness(True, "degraded", tuple(because))
    return Readiness(True, "ready")
