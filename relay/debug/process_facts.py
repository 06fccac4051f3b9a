"""What can be known of this process without the hub and the store."""

import os
import time
from importlib import metadata
from pathlib import Path
from typing import Final

from relay.facts import ProcessFacts

_STATM: Final = Path("/proc/self/statm")


class ThisProcess:
    """Reads the facts; what does not change is read once."""

    def __init__(self, started_ms: int) -> None:
        self._version = package_version()
        self._started_ms = started_ms
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")

    def read(self) -> ProcessFacts:
        """Return the facts as they are now."""
        return ProcessFacts(
            version=self._version,
            pid=os.getpid(),
            started_ms=self._started_ms,
            memory_bytes=self._memory_bytes(),
            cpu_s=time.process_time(),
        )

    def _memory_bytes(self) -> int | None:
        try:
            return int(_STATM.read_bytes().split()[1]) * self._page_bytes
        except OSError:
            return None


def package_version() -> str:
    """Return the version of yjs-relay."""
    try:
        return metadata.version("yjs-relay")
    except metadata.PackageNotFoundError:
        # A checkout that was not installed.
        return "unknown"
