"""Reads documents back as a new client would, and compares them with what was typed."""

import asyncio
from collections.abc import Sequence

from benchlib.connection import Connection, connect
from benchlib.errors import RunFailed
from benchlib.history import Content, replay

# Not all at once: this is a check, not a load.
_AT_ONCE = 10


async def check_documents(urls: Sequence[str], expected: Sequence[Content]) -> None:
    """Return when each document at ``urls`` is exactly what ``expected`` says.

    Raises:
        RunFailed: one is not; the text says how it differs.
    """
    for start in range(0, len(urls), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        readers = await asyncio.gather(*(connect(Connection(url)) for url in urls[part]))
        for reader, content in zip(readers, expected[part], strict=True):
            reader.close()
            check_content(reader.url, replay([reader.synced.result()]), content)


def check_content(what: str, found: Content, expected: Content) -> None:
    """Return when both are the same.

    Raises:
        RunFailed: they are not.
    """
    if found.text != expected.text:
        same = next(
            (
                index
                for index, (one, other) in enumerate(zip(found.text, expected.text, strict=False))
                if one != other
            ),
            min(len(found.text), len(expected.text)),
        )
        raise RunFailed(
            f"{what}: the text has {len(found.text)} letters instead of {len(expected.text)}"
            f" and differs from letter {same} on"
        )
    if found.state_vector != expected.state_vector:
        raise RunFailed(f"{what}: the same text, but another state vector")
