"""Waits for whichever part of something breaks first."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def wait_first_broken(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait until one of these ends, and raise what it raised; the others are waited for no more."""
    tasks = [asyncio.create_task(each) for each in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
