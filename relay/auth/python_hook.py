"""Asks a Python function who may come in: ``def decide(credential, document)``, or ``async def``.

It returns a dict like the answer of an HTTP hook, or None for no. What is not async runs in a
thread of its own. One that hangs keeps its thread; when all are taken, nobody is let in.
"""

import asyncio
import contextlib
import importlib
import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any

from relay.auth.grants import Unauthorized
from relay.auth.hook import HookFailed
from relay.errors import ConfigError
from relay.limits import HOOK_CONCURRENT_MAX


class PythonDecider:
    """A Decider that is a function ``module:function``."""

    def __init__(self, name: str) -> None:
        """Import it.

        Raises:
            ConfigError: there is no such function.
        """
        self._function = _load(name)
        self._threads = threading.BoundedSemaphore(HOOK_CONCURRENT_MAX)

    async def ask(self, credential: str, document: str | None) -> Mapping[str, Any]:
        """See Decider."""
        if inspect.iscoroutinefunction(self._function):
            answer = await self._function(credential, document)
        else:
            answer = await self._call_in_thread(credential, document)
        if answer is None:
            raise Unauthorized("the credential is not valid")
        if not isinstance(answer, Mapping):
            raise HookFailed("it returned neither a dict nor None")
        return answer

    async def _call_in_thread(self, credential: str, document: str | None) -> object:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[object] = loop.create_future()

        def settle(answer: object, error: Exception | None) -> None:
            if answered.done():
                return
            if error is None:
                answered.set_result(answer)
            else:
                answered.set_exception(error)

        def call() -> None:
            answer, error = None, None
            try:
                answer = self._function(credential, document)
            except Exception as raised:  # noqa: BLE001
                # A function of somebody else's: whoever waits decides what it means.
                error = raised
            finally:
                self._threads.release()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, answer, error)

        if not self._threads.acquire(blocking=False):
            raise HookFailed("all its threads are taken by calls that do not end")
        # Not of a pool: the interpreter would wait at its end for one that hangs.
        threading.Thread(target=call, name="yjs-relay-hook", daemon=True).start()
        return await answered

    async def close(self) -> None:
        """See Decider."""


def _load(name: str) -> Callable[[str, str | None], Any]:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except Exception as error:
        # A module of somebody else's may raise anything when it is imported.
        raise ConfigError(f"cannot import {module!r}: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ConfigError(f"there is no function {function!r} in {module!r}")
    return found  # type: ignore[no-any-return]
