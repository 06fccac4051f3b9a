"""What an attack may use, and how attacks are named."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fuzzlib.authoring import CLIENT_IDS
from fuzzlib.encoding import Id


@dataclass(slots=True)
class Scene:
    """Chance, and the ids of the honest clients with the clocks that they have got to."""

    chance: random.Random
    victims: Mapping[int, int]

    def client(self) -> int:
        """Return an id that nobody has."""
        return self.chance.randrange(2**16, CLIENT_IDS)

    def victim(self) -> Id:
        """Return the id of something that an honest client wrote, or is about to write."""
        if not self.victims:
            return self.client(), 0
        client = self.chance.choice(list(self.victims))
        return client, max(0, self.victims[client] + self.chance.choice((-2, -1, 0, 1, 30)))

    def depth(self) -> int:
        """Return how deep something nests: from harmless to deadly."""
        return self.chance.choice((50, 200, 1_000, 5_000, 20_000, 100_000))


# Makes a sequence of updates anew, under ids of its own, with sizes that chance chooses.
Maker = Callable[[Scene], Sequence[bytes]]


def named(*makers: Maker) -> Mapping[str, Maker]:
    """Return the makers by what their functions are called."""
    return {maker.__name__.replace("_", " "): maker for maker in makers}
