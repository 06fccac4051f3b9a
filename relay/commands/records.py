"""Records that a server lists page by page, for the commands that list the same from a file."""

from collections.abc import Mapping
from typing import Any

from relay.commands.remote import Server, Unreachable
from relay.limits import ADMIN_PAGE_MAX
from relay.terminal import printable

Facts = dict[str, Any]


def records(
    server: Server, path: str, name: str, key: str, asked: Mapping[str, str | int | None]
) -> list[Facts]:
    """Return the records under ``name`` in an answer; each has the ``key``.

    Raises:
        Unreachable, Refused: as ``Server.get``.
    """
    found = server.get(path, **asked).get(name)
    if not isinstance(found, list) or not all(_has(each, key) for each in found):
        where = printable(server.url)
        raise Unreachable(f"{where} answers what this version does not understand")
    return found


def pages(
    server: Server, path: str, name: str, key: str, asked: Mapping[str, str | int | None]
) -> list[Facts]:
    """Return the records of all pages; each page goes on after the last ``key``.

    Raises:
        Unreachable, Refused: as ``Server.get``.
    """
    found: list[Facts] = []
    after: str | int | None = None
    while True:
        page = records(server, path, name, key, {**asked, "after": after, "limit": ADMIN_PAGE_MAX})
        found += page
        if len(page) < ADMIN_PAGE_MAX:
            return found
        after = page[-1][key]


def _has(record: object, key: str) -> bool:
    return isinstance(record, dict) and isinstance(record.get(key), str | int)


def whole(value: object) -> int:
    """Return a number that a server has sent, 0 when it is none."""
    return value if isinstance(value, int) else 0
