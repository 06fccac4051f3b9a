"""Where a benchmark runs: its two cores, and the facts that belong to a figure."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("pycrdt", "uvicorn", "uvloop", "websockets", "starlette", "sqlite-utils")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the server and the core of the load generator."""

    server: int
    generator: int

    @property
    def are_shared(self) -> bool:
        """Whether there is only one, so that no figure is the server's alone."""
        return self.server == self.generator

    def __str__(self) -> str:
        if self.are_shared:
            return f"server and load generator SHARE core {self.server}: figures are too low"
        return f"server on core {self.server}, load generator on core {self.generator}"


def choose_cores() -> Cores:
    """Take the first two cores that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[min(1, len(allowed) - 1)])


def pin(core: int) -> None:
    """Keep the calling thread, and what it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Be on another core for a while; processes started meanwhile stay there."""
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def core_busy_s(core: int) -> float:
    """Return for how long a core has worked for anybody, kernel and hypervisor included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *counts = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, counts[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S
    raise LookupError(f"/proc/stat has no cpu{core}")


def describe_machine(cores: Cores, directory: Path) -> dict[str, object]:
    """Return the facts about this machine that a reader of figures needs."""
    return {
        "cores": os.cpu_count(),
        "cores_used": str(cores),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "store_file_system": _file_system(directory),
        "load_average": os.getloadavg()[0],
        **{name: _version(name) for name in _PACKAGES},
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(directory: Path) -> str:
    """Return the kind of file system: on a tmpfs an fsync is worth nothing."""
    best, kind = "", "unknown"
    path = str(directory.resolve())
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, type_, *_ = line.split()
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, type_
    return kind


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
