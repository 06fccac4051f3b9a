"""Runs a program with the checkout's own Python; needs nothing but the standard library."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = CHECKOUT / "tools"


def use_project_python() -> None:
    """Return when the dependencies can be imported; start again with .venv if that is better.

    Exits with one line when there is neither a .venv nor the dependencies, or no Linux: pinning
    to cores and the accounts in /proc are Linux's.
    """
    venv = CHECKOUT / ".venv"
    python = venv / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != venv.resolve():
        os.execv(python, [str(python), *sys.argv])
    if sys.platform != "linux":
        sys.exit("the benchmarks pin processes to cores and read /proc: they need Linux")
    missing = [name for name in ("click", "pycrdt", "uvloop", "websockets") if not find_spec(name)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; `tools/serve --help` makes .venv with all of it")
