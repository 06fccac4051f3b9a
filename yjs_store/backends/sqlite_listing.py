"""Pages of the list of documents, from the SQLite table of heads.

By name the index leads to them. Everything else is one walk through the table with a sorter that
holds no more than the page: an index on what every commit changes would cost each commit more.
"""

import contextlib
import heapq
import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from yjs_store.backends.sqlite_read import HEAD_COLUMNS, any_text
from yjs_store.backends.sqlite_transaction import tolerant_transaction
from yjs_store.listing_records import (
    UNREADABLE_VALUE,
    HeadPage,
    ListedHead,
    Order,
    PageRequest,
    Position,
    prefix_end,
)
from yjs_store.records import Head, SealedHead

_VALUES: Final = {
    Order.NAME: "name",
    Order.UPDATED: "updated_ms",
    Order.BYTES: "journal_bytes + snapshot_bytes",
    Order.JOURNAL: "journal_bytes",
}
_IS_TROUBLED: Final = (
    "(journal_bytes >= :journal_bytes_min"
    " OR name IN (SELECT value FROM json_each(:names))"
    " OR name IN (SELECT document FROM quarantine)"
    " OR id IN (SELECT document_id FROM switches))"
)


def page(connection: sqlite3.Connection, request: PageRequest) -> HeadPage:
    """See ObservingReader.page."""
    with tolerant_transaction(connection), any_text(connection):
        total = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
        try:
            found = connection.execute(select(request), facts_of(request)).fetchall()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            # P4: one page that cannot be read must not hide the others.
            found = _read_each(connection, request)
    entries = tuple(_entry(row) for row in found[: request.limit])
    following = None
    if len(found) > request.limit:
        value, *rest = found[request.limit - 1]
        following = Position(value, rest[0])
    return HeadPage(entries, following, total)


def select(request: PageRequest) -> str:
    """Return the statement of a page: value, head, and one row more than the page has."""
    value = _VALUES[request.order]
    is_by_name = request.order is Order.NAME
    conditions = _conditions(request)
    if request.after is not None:
        conditions.append("name > :value" if is_by_name else f"({value}, id) < (:value, :id)")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # By an index the walk would go to and fro in the table.
    walk = "" if is_by_name and request.troubled is None else " NOT INDEXED"
    order = "name" if is_by_name else f"{value} DESC, id DESC"
    return (
        f"SELECT {value}, {HEAD_COLUMNS} FROM documents{walk}{where} ORDER BY {order} LIMIT :limit"
    )


def facts_of(request: PageRequest) -> dict[str, Any]:
    """Return the parameters of ``select``."""
    after, troubled = request.after, request.troubled
    return {
        "prefix": request.prefix,
        "prefix_end": prefix_end(request.prefix),
        "value": None if after is None else after.value,
        "id": None if after is None else after.document_id,
        "limit": request.limit + 1,
        "names": "[]" if troubled is None else json.dumps(sorted(troubled.names)),
        "journal_bytes_min": None if troubled is None else troubled.journal_bytes_min,
    }


def _conditions(request: PageRequest) -> list[str]:
    conditions = []
    if request.prefix:
        conditions.append("name >= :prefix")
    if prefix_end(request.prefix) is not None:
        conditions.append("name < :prefix_end")
    if request.troubled is not None:
        conditions.append(_IS_TROUBLED)
    return conditions


def _entry(row: tuple[Any, ...]) -> ListedHead:
    _, document_id, name, *rest = row
    if not rest:
        return ListedHead(document_id, _shown(name), None, "the page that it is on is broken")
    head = Head(document_id, name, *rest[:-1])
    return ListedHead(document_id, _shown(name), SealedHead(head, rest[-1]))


def _shown(name: object) -> str:
    return name if isinstance(name, str) else repr(name)


# ---- one by one ---------------------------------------------------------------------------------


def _read_each(connection: sqlite3.Connection, request: PageRequest) -> list[tuple[Any, ...]]:
    """Return the same rows, and of heads that cannot be read value, key and name alone."""
    is_by_name = request.order is Order.NAME
    rows = _rows_behind(connection, request)
    if is_by_name:
        return heapq.nsmallest(request.limit + 1, rows, key=lambda row: row[0])
    return heapq.nlargest(request.limit + 1, rows, key=lambda row: row[:2])


def _rows_behind(connection: sqlite3.Connection, request: PageRequest) -> Iterator[tuple[Any, ...]]:
    after = request.after
    for row in _rows(connection, request):
        if after is None:
            yield row
        elif request.order is Order.NAME:
            if row[0] > after.value:
                yield row
        elif row[:2] < (after.value, after.document_id):
            yield row


def _rows(connection: sqlite3.Connection, request: PageRequest) -> Iterator[tuple[Any, ...]]:
    conditions = " AND ".join(["id = :one", *_conditions(request)])
    one = (
        f"SELECT {_VALUES[request.order]}, {HEAD_COLUMNS} FROM documents NOT INDEXED"
        f" WHERE {conditions}"
    )
    facts = facts_of(request)
    # From the index alone: it has names and keys of heads whose own page is broken.
    names = connection.execute("SELECT name, id FROM documents ORDER BY name").fetchall()
    for name, document_id in names:
        try:
            found = connection.execute(one, {**facts, "one": document_id}).fetchone()
        except sqlite3.DatabaseError:
            with contextlib.suppress(AttributeError):
                if name.startswith(request.prefix):
                    value = name if request.order is Order.NAME else UNREADABLE_VALUE
                    yield value, document_id, name
        else:
            if found is not None:
                yield found
