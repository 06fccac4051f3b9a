"""yjs_store.stack: what a trial survives the server survives, for it has more stack."""

import resource
import subprocess
import sys
from pathlib import Path

from yjs_store.limits import SERVER_STACK_BYTES, TRIAL_STACK_BYTES

CHECKOUT = Path(__file__).parents[2]

# Nested types, then the deletion of the outermost; how deep comes from the caller.
PROGRAM = """
import resource, sys, threading
from store.poison import delete_first, nested_types
from yjs_store import crdt, raise_stack
stack_bytes, depth, where = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
resource.setrlimit(resource.RLIMIT_STACK, (stack_bytes, hard))
if "raised" in where:
    raise_stack()

def delete():
    replica = crdt.Replica([nested_types(depth)])
    replica.integrate(delete_first())
    print("survived")

if "thread" in where:
    thread = threading.Thread(target=delete)
    thread.start()
    thread.join()
else:
    delete()
"""


def survives(depth: int, where: str) -> bool:
    """Whether a process survives it, with the stack of a trial unless it is raised."""
    arguments = [PROGRAM, str(TRIAL_STACK_BYTES), str(depth), where]
    paths = f"{CHECKOUT}:{CHECKOUT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", *arguments], capture_output=True, env={"PYTHONPATH": paths}
    )
    return done.stdout == b"survived\n"


def test_what_a_trial_survives_the_server_survives() -> None:
    assert survives(25_000, "as a trial")
    assert survives(25_000, "raised")
    assert survives(25_000, "raised, in a thread")


def test_the_server_survives_what_a_trial_dies_of() -> None:
    """So that there is room between the two."""
    assert not survives(60_000, "as a trial")
    assert survives(60_000, "raised")
    assert survives(60_000, "raised, in a thread")


def test_a_stack_is_never_lowered() -> None:
    program = (
        "import resource; from yjs_store import raise_stack;"
        "resource.setrlimit(resource.RLIMIT_STACK, (1 << 29, resource.RLIM_INFINITY));"
        "raise_stack(); print(resource.getrlimit(resource.RLIMIT_STACK)[0])"
    )
    if resource.getrlimit(resource.RLIMIT_STACK)[1] == resource.RLIM_INFINITY:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, env={"PYTHONPATH": str(CHECKOUT)}
        )
        assert int(done.stdout) == 1 << 29 > SERVER_STACK_BYTES
