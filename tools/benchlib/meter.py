"""What a stretch of work costs the server and the load generator."""

import time
from dataclasses import dataclass

from benchlib.machine import Cores, core_busy_s
from benchlib.server_process import ServerProcess


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and bytes between two moments."""

    wall_s: float
    server_cpu_s: float
    generator_cpu_s: float
    other_cpu_s: float
    """What the server's core did for neither of the two: the kernel's threads, other programs."""
    written_bytes: int
    """What the server had written to the disk's side of the page cache."""
    memory_peak_bytes: int

    @property
    def server_share(self) -> float:
        """How busy the server kept its core."""
        return self.server_cpu_s / self.wall_s

    @property
    def other_share(self) -> float:
        """How busy others kept the server's core; what they take the server does not have."""
        return self.other_cpu_s / self.wall_s

    @property
    def generator_share(self) -> float:
        """How busy the load generator kept its core; near 1 it is the bottleneck."""
        return self.generator_cpu_s / self.wall_s


class Meter:
    """Runs from its making to ``stop``."""

    def __init__(self, server: ServerProcess, cores: Cores) -> None:
        self._server = server
        self._cores = cores
        self._usage = server.usage()
        self._busy_s = core_busy_s(cores.server)
        self._generator_s = time.process_time()
        self._began_s = time.perf_counter()

    def stop(self) -> Cost:
        """Return what was spent.

        Raises:
            RunFailed: the server is gone.
        """
        wall_s = time.perf_counter() - self._began_s
        generator_s = time.process_time() - self._generator_s
        busy_s = core_busy_s(self._cores.server) - self._busy_s
        usage = self._server.usage()
        server_s = usage.cpu_s - self._usage.cpu_s
        known_s = server_s + (generator_s if self._cores.are_shared else 0)
        return Cost(
            wall_s=wall_s,
            server_cpu_s=server_s,
            generator_cpu_s=generator_s,
            other_cpu_s=max(0.0, busy_s - known_s),
            written_bytes=usage.written_bytes - self._usage.written_bytes,
            memory_peak_bytes=usage.memory_peak_bytes,
        )
