"""Cases of the strategy "awareness": states and clocks that no client would announce."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Final

from fuzzlib.cases import Case, Send, Step
from fuzzlib.encoding import number, sized
from fuzzlib.mutations import mutate
from fuzzlib.scene import Scene

STRATEGY: Final = "awareness"

Entry = tuple[int, int, bytes | str]


def awareness(entries: Sequence[Entry], *, count: int | None = None) -> bytes:
    """Return the frame that announces states."""
    body = number(len(entries) if count is None else count)
    for client, clock, state in entries:
        body += number(client) + number(clock) + sized(state)
    return b"\1" + sized(body)


def make(scene: Scene) -> Case:
    """Return another case: one to five frames of one kind of attack."""
    maker = scene.chance.choice(_ATTACKS)
    frames = [maker(scene) for _ in range(scene.chance.randint(1, 5))]
    steps = [Step(Send.FRAME, frame) for frame in frames]
    if scene.chance.random() < 0.2:
        steps.append(Step(Send.CUT))
    return Case(STRATEGY, maker.__name__.replace("_", " ").strip(), steps)


def _state(chance: random.Random) -> str:
    return json.dumps({"user": {"name": "mallory", "at": chance.randrange(1000)}})


def _good(scene: Scene) -> list[Entry]:
    chance = scene.chance
    return [
        (scene.client(), chance.randrange(100), _state(chance)) for _ in range(chance.randint(1, 4))
    ]


def _states(scene: Scene) -> bytes:
    return awareness(_good(scene))


def _clocks(scene: Scene) -> bytes:
    clocks = (0, 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63, 2**64 - 1, 2**70)
    return awareness([(scene.client(), scene.chance.choice(clocks), _state(scene.chance))])


def _ids(scene: Scene) -> bytes:
    ids = (0, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**64 - 1, 2**64)
    return awareness([(scene.chance.choice(ids), 1, _state(scene.chance))])


def _others(scene: Scene) -> bytes:
    """Speaks for the honest clients: takes their states away, or announces others."""
    chance = scene.chance
    clock = chance.choice((0, 1, 2, 2**32))
    return awareness(
        [(client, clock, chance.choice(("null", _state(chance)))) for client in scene.victims]
    )


def _removals(scene: Scene) -> bytes:
    return awareness([(scene.client(), scene.chance.randrange(5), "null") for _ in range(50)])


def _crowd(scene: Scene) -> bytes:
    first, count = scene.client(), scene.chance.choice((100, 999, 1_000, 1_001, 20_000))
    return awareness([(first + n, 1, "{}") for n in range(count)])


def _large(scene: Scene) -> bytes:
    size = scene.chance.choice((1_000, 100_000, 255_000, 262_144, 1_000_000))
    return awareness([(scene.client(), 1, json.dumps({"name": "x" * size}))])


def _deep(scene: Scene) -> bytes:
    depth = min(scene.depth(), 100_000)
    opening, closing = scene.chance.choice((("[", "]"), ('{"a":', "}")))
    return awareness([(scene.client(), 1, opening * depth + "1" + closing * depth)])


def _not_json(scene: Scene) -> bytes:
    odd: tuple[bytes, ...] = (
        b"",
        b"undefined",
        b"NaN",
        b"Infinity",
        b"{",
        b"[1,]",
        b"'a'",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\0",
        b'"\\ud800"',
        b"1e999",
        b"9" * 5_000,
        b"nullnull",
        b" null ",
        b'{"a":1,"a":2}',
        b"\xef\xbb\xbf{}",
        b"-",
        b"01",
        b"1" + b"0" * 400_000,
    )
    return awareness([(scene.client(), 1, scene.chance.choice(odd))])


def _odd_json(scene: Scene) -> bytes:
    odd = (
        "1",
        "true",
        '"text"',
        "[]",
        '{"__proto__":{"user":1}}',
        '{"user":null}',
        '{"":""}',
        '{"constructor":{"prototype":{}}}',
        '{"toJSON":1}',
    )
    return awareness([(scene.client(), 1, scene.chance.choice(odd))])


def _counts(scene: Scene) -> bytes:
    counts = (0, 2, 1_000, 2**31, 2**53 - 1, 2**64)
    return awareness(_good(scene)[:1], count=scene.chance.choice(counts))


def _twice(scene: Scene) -> bytes:
    """One client twice in an update: going and staying."""
    client = scene.client()
    states = ["null", "{}", "null", '{"a":1}']
    scene.chance.shuffle(states)
    return awareness([(client, scene.chance.randrange(3), state) for state in states])


def _mutated(scene: Scene) -> bytes:
    return mutate(awareness(_good(scene)), scene.chance)


_ATTACKS: Final[Sequence[Callable[[Scene], bytes]]] = (
    _states,
    _clocks,
    _ids,
    _others,
    _removals,
    _crowd,
    _large,
    _deep,
    _not_json,
    _odd_json,
    _counts,
    _twice,
    _mutated,
)
