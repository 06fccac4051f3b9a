"""Cases of the strategy "updates": valid ones, mutated ones, poisons, and real histories."""

import random
from collections.abc import Container, Sequence
from typing import Final

from fuzzlib.authoring import new_author
from fuzzlib.cases import Case, updates_case
from fuzzlib.mutations import misdeliver, mutate
from fuzzlib.poisons import POISONS
from fuzzlib.scene import Scene

STRATEGY: Final = "updates"
# Poisons after which yrs does not show the same text as Yjs, or as yrs after a load: it shows
# what comes before its own client's earlier structs. Both order contradictions by arrival.
_UNRULY: Final = frozenset(
    {"on both sides", "origins that contradict", "skips", "halves of a character"}
)
# Of a real history so much is sent at a time.
_PIECE: Final = 60


class UpdateCases:
    """Makes the cases; ``histories`` are real ones, which are optional.

    Poisons that are in ``muted``, now or later, are left out.
    """

    def __init__(
        self, histories: Sequence[Sequence[bytes]], muted: Container[str] = frozenset()
    ) -> None:
        self._muted = muted
        self._histories = [history for history in histories if history]

    def make(self, scene: Scene) -> Case:
        """Return another case."""
        kind = scene.chance.random()
        if kind < 0.15:
            return updates_case(STRATEGY, "valid", _written(scene.chance), is_valid=True)
        if kind < 0.25:
            updates = misdeliver(_written(scene.chance), scene.chance)
            return updates_case(STRATEGY, "valid, misdelivered", updates, is_valid=True)
        if kind < 0.50:
            return self._mutated(scene.chance)
        if kind < 0.60 and self._histories:
            return self._real(scene.chance)
        names = [name for name in POISONS if name not in self._muted]
        return self.poison(scene, scene.chance.choice(names))

    @staticmethod
    def poison(scene: Scene, name: str) -> Case:
        """Return a case of a named poison, at times within a sequence that is normal."""
        updates = POISONS[name](scene)
        if scene.chance.random() < 0.2:
            before, after = _written(scene.chance, 3), _written(scene.chance, 3)
            updates = [*before, *updates, *after]
        return updates_case(STRATEGY, name, updates, forges=name in _UNRULY)

    @staticmethod
    def _mutated(chance: random.Random) -> Case:
        """Some updates of a history are mutated; they may rewrite what others of it say."""
        written = _written(chance)
        updates = [mutate(each, chance) if chance.random() < 0.3 else each for each in written]
        if updates == written:
            updates[-1] = mutate(updates[-1], chance)
        if chance.random() < 0.2:
            updates = misdeliver(updates, chance)
        return updates_case(STRATEGY, "mutated", updates, forges=True)

    def _real(self, chance: random.Random) -> Case:
        history = chance.choice(self._histories)
        start = chance.choice((0, chance.randrange(len(history))))
        piece = list(history[start : start + _PIECE])
        for _ in range(chance.randrange(3)):
            at = chance.randrange(len(piece))
            piece[at] = mutate(piece[at], chance)
        updates = misdeliver(piece, chance)
        return updates_case(STRATEGY, "real history, mutated", updates, forges=True)


def _written(chance: random.Random, updates_max: int = 12) -> list[bytes]:
    author = new_author(chance)
    return [author.update() for _ in range(chance.randint(1, updates_max))]
