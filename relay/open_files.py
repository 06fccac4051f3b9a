"""How many files, sockets among them, the process may have open."""

import sys

import structlog

log = structlog.get_logger("relay.open_files")


def raise_open_files(wanted: int) -> int:
    """Let the process open as many files as wanted, or as it may; return how many those are."""
    if sys.platform == "win32":
        return wanted
    import resource  # noqa: PLC0415  (not everywhere)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "fewer connections than wanted: the system allows too few open files",
            open_files=allowed,
            wanted=wanted,
        )
    return allowed
