"""Cases of the strategy "sessions": several hostile clients at once in one document."""

from typing import Final

from fuzzlib import awareness_cases, wire_cases
from fuzzlib.cases import Case, Send, Step, as_session
from fuzzlib.scene import Scene
from fuzzlib.update_cases import UpdateCases

STRATEGY: Final = "sessions"
# What is sent in the middle of others is kept small, or the interleaving is of little use.
_BYTES_MAX: Final = 200_000
_STEPS_MAX: Final = 100


def make(scene: Scene, updates: UpdateCases) -> Case:
    """Return the steps of several cases, each by a session of its own, shuffled into each other."""
    chance = scene.chance
    cases: list[Case] = []
    for _ in range(chance.randint(2, 5)):
        maker = chance.choice((updates.make, updates.make, awareness_cases.make, wire_cases.make))
        case = maker(scene)
        if case.size <= _BYTES_MAX:
            cases.append(case)
    sessions = [as_session(case, number, _STEPS_MAX) for number, case in enumerate(cases)]
    hands = [list(case.steps) for case in sessions]
    steps: list[Step] = []
    while hands := [hand for hand in hands if hand]:
        hand = chance.choice(hands)
        steps.append(hand.pop(0))
        if chance.random() < 0.05:
            steps.append(Step(Send.CUT, b"", steps[-1].session))
    attacks = " + ".join(sorted({case.attack for case in cases}))
    valid = [session for case in sessions for session in case.valid]
    return Case(STRATEGY, attacks, steps, any(case.forges for case in cases), valid=valid)
