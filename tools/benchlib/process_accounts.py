"""What the kernel says of this process and its children: bytes written, CPU, memory."""

import ctypes
import gc
import os
from pathlib import Path


def written_bytes() -> int:
    """Return the bytes that this process sent to the disk, those of ended children included.

    The kernel counts pages as they are made dirty. SQLite's WAL and its database file are both
    written by this process; a page that is synced and written again counts again.
    """
    for line in Path("/proc/self/io").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "write_bytes":
            return int(value)
    raise LookupError("/proc/self/io has no write_bytes")


def child_ids() -> list[int]:
    """Return the processes that this one has started and that still live."""
    return [
        int(child)
        for path in Path("/proc/self/task").glob("*/children")
        for child in path.read_text().split()
    ]


def cpu_s(process_id: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor_wait_s(process_id: int) -> float:
    """Return for how long a process's main thread could have run and had no processor.

    0 where the kernel does not count it.
    """
    try:
        fields = Path(f"/proc/{process_id}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) / 1e9


def memory_bytes(process_id: int) -> int:
    """Return what a process holds in memory now."""
    return _status(process_id, "VmRSS")


def memory_peak_bytes(process_id: int) -> int:
    """Return the most that a process held in memory since ``forget_peak``."""
    return _status(process_id, "VmHWM")


def forget_peak(process_id: int) -> None:
    """Let the peak begin anew from what the process holds now."""
    if process_id == os.getpid():
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    Path(f"/proc/{process_id}/clear_refs").write_text("5")


def _status(process_id: int, field: str) -> int:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(f"/proc/{process_id}/status has no {field}")
