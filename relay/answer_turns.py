"""Has the answers that wait made, one in a turn of the event loop, when there is time for them."""

import asyncio

from relay.answers import Answers


class AnswerTurns:
    """The timer behind ``Answers``; it runs only while somebody waits."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._timer: asyncio.Handle | None = None
        answers.wake = self._wake

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._make_next)

    def _make_next(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        delay_s = self._answers.make_next(loop.time())
        # Somebody may have begun to wait in the meantime.
        if delay_s is not None and self._timer is None:
            self._timer = loop.call_later(delay_s, self._make_next)

    def stop(self) -> None:
        """Make none any more."""
        if self._timer is not None:
            self._timer.cancel()
