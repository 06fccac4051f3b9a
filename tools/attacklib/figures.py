"""All figures there are, and the file in which they are kept."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from attacklib.attacks import ATTACKS
from attacklib.run import Outcome
from attacklib.stalled import StalledRun


@dataclass(slots=True)
class Figures:
    """Outcomes by the name of their attack, and the runs with stalled readers."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    stalled: list[StalledRun] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Return what a file has; nothing, when it isn't there yet."""
        if file is None or not file.exists():
            return cls()
        kept = json.loads(file.read_text("utf-8"))
        outcomes = (Outcome(**each) for each in kept["attacks"])
        return cls(
            {each.name: each for each in outcomes},
            [StalledRun(**each) for each in kept["stalled_readers"]],
        )

    def save(self, file: Path) -> None:
        """Write everything."""
        kept = {
            "attacks": [dataclasses.asdict(each) for each in self.in_order()],
            "stalled_readers": [dataclasses.asdict(each) for each in self.stalled],
        }
        file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")

    def in_order(self) -> list[Outcome]:
        """The outcomes in the order in which the attacks stand, with the words of today."""
        return [
            dataclasses.replace(self.outcomes[name], what=attack.what, bound=attack.bound)
            for name, attack in ATTACKS.items()
            if name in self.outcomes
        ]
