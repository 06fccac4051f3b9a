"""What a run counts, and its report."""

import math
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchlib.markdown import format_markdown, size_text

from fuzzlib.attacking import Outcome
from fuzzlib.cases import Case
from fuzzlib.findings import Finding, Kind

_ATTACK_HEADS = ("attack", "cases", "bytes", "accepted", "honest receipts", "closed with")


@dataclass(slots=True)
class AttackCount:
    """How often an attack was made, and how it ended."""

    cases: int = 0
    sent_bytes: int = 0
    accepted: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    # For how long an honest client in the same document waited for a receipt meanwhile.
    worst_wait_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """Counts over a whole run; times in seconds."""

    seed: int
    seconds: float = 0.0
    servers: int = 0
    documents: int = 0
    memory_peak_bytes: int = 0
    attacks: dict[tuple[str, str], AttackCount] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    pings_s: list[float] = field(default_factory=list)
    receipts_checked: int = 0
    # About the server, and about yrs alone, where stock Yjs sees nothing wrong.
    findings: list[Finding] = field(default_factory=list)
    yrs_errors: list[Finding] = field(default_factory=list)
    # What each finding came down to, by kind and attack.
    minimised: dict[tuple[Kind, str], str] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)

    def count(self, case: Case, outcome: Outcome, worst_wait_s: float) -> None:
        """Count a case."""
        # The attacks of several sessions at once are all one: their combinations have no end.
        attack = "several at once" if case.strategy == "sessions" else case.attack
        counted = self.attacks.setdefault((case.strategy, attack), AttackCount())
        counted.cases += 1
        counted.sent_bytes += case.size
        counted.accepted += outcome.is_accepted
        counted.codes += outcome.codes
        counted.worst_wait_s = max(counted.worst_wait_s, worst_wait_s)

    def findings_by_cause(self) -> dict[tuple[Kind, str], list[Finding]]:
        """Return the findings by kind and first suspect, the worst first."""
        order = list(Kind)
        causes: dict[tuple[Kind, str], list[Finding]] = {}
        for finding in sorted(self.findings, key=lambda each: order.index(each.kind)):
            causes.setdefault((finding.kind, finding.attack), []).append(finding)
        return causes

    def as_json(self) -> dict[str, Any]:
        """Return the figures for a program to read."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "cases": self.cases,
            "documents": self.documents,
            "servers": self.servers,
            "memory_peak_bytes": self.memory_peak_bytes,
            "receipt_latency_ms": _quantiles_ms(self.latencies_s),
            "ping_ms": _quantiles_ms(self.pings_s),
            "receipts_checked": self.receipts_checked,
            "yrs_errors": len(self.yrs_errors),
            "findings": [
                {"kind": kind, "attack": attack, "times": len(found), "detail": found[0].detail}
                for (kind, attack), found in self.findings_by_cause().items()
            ],
        }

    @property
    def cases(self) -> int:
        """How many cases were played."""
        return sum(counted.cases for counted in self.attacks.values())

    def as_markdown(self, command: str) -> str:
        """Return the report."""
        sent = sum(counted.sent_bytes for counted in self.attacks.values())
        figures = [
            ("seed", str(self.seed)),
            ("seconds", f"{self.seconds:.0f}"),
            ("cases", f"{self.cases:,}"),
            ("bytes sent by attackers", size_text(sent)),
            ("documents", f"{self.documents:,}"),
            ("server processes", f"{self.servers:,}"),
            ("receipts compared with the store after a restart", f"{self.receipts_checked:,}"),
            ("**findings**", f"**{len(self.findings):,}**"),
            ("memory of the server at most", size_text(self.memory_peak_bytes)),
            ("honest edits with a receipt", f"{len(self.latencies_s):,}"),
            ("their receipts came after", _quantiles_text(self.latencies_s)),
            ("pings of the event loop answered after", _quantiles_text(self.pings_s)),
        ]
        attacks = sorted(self.attacks.items())
        rows = [
            (
                f"{strategy}: {attack}",
                f"{counted.cases:,}",
                size_text(counted.sent_bytes),
                f"{counted.accepted:,}",
                f"{1000 * counted.worst_wait_s:,.0f} ms",
                ", ".join(f"{code}: {times:,}" for code, times in sorted(counted.codes.items()))
                or "",
            )
            for (strategy, attack), counted in attacks
        ]
        return (
            "\n\n".join(
                (
                    "# Fuzzing",
                    f"Written by `{command}` on Python {platform.python_version()}.",
                    format_markdown(("", "figure"), figures),
                    "## Findings",
                    "\n".join(self._finding_lines()) or "None.",
                    "## What was sent, and how it ended for its senders",
                    "*Accepted* is a case after which every session that speaks the protocol has "
                    "a receipt for one more harmless update. *Honest receipts* came after at most "
                    "so long, in the same document, meanwhile. Codes: how many sessions got them; "
                    "1006 is an end without a close frame.",
                    format_markdown(_ATTACK_HEADS, rows),
                )
            )
            + "\n"
        )

    def _finding_lines(self) -> Iterable[str]:
        for (kind, attack), found in self.findings_by_cause().items():
            detail = " ".join(found[0].detail.split())[:300].replace("`", "'")
            yield f"- **{kind}**, {len(found)} times, {attack}: `{detail}`"
            if (kind, attack) in self.minimised:
                yield f"  - {self.minimised[kind, attack]}"
        if self.yrs_errors:
            causes = Counter(finding.attack for finding in self.yrs_errors)
            attacks = ", ".join(f"{attack}: {times}" for attack, times in causes.most_common())
            yield f"- no finding, as stock Yjs sees nothing wrong: {Kind.YRS_ERRS}; {attacks}"
        if self.muted:
            muted = ", ".join(sorted(self.muted))
            yield f"- not tried any more after it killed the server: {muted}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below or at which this share of the values lies; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _quantiles_ms(values_s: Sequence[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    return {name: round(1000 * quantile(values_s, share), 1) for name, share in shares.items()}


def _quantiles_text(values_s: Sequence[float]) -> str:
    return ", ".join(f"{name} {ms:,.1f} ms" for name, ms in _quantiles_ms(values_s).items())
