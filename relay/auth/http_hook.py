"""Asks an HTTP address who may come in.

::

    POST {url}        {"credential": "…", "document": "notes/a"}       document null: all of them
    200               {"user": "ann", "permission": "write", "ttl_s": 600}    ttl_s may be left out
    401, 403          no

Redirects are not followed, and everything else is no answer.
"""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from relay.auth.grants import Forbidden, Unauthorized
from relay.auth.hook import HookFailed
from relay.limits import HOOK_ANSWER_BYTES_MAX, HOOK_CONCURRENT_MAX


class HttpDecider:
    """A Decider behind a URL."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            # Nothing is unpacked, so the bound on the answer is one on memory.
            headers={"Accept-Encoding": "identity"},
            # The environment's proxies and credentials are not for what decides.
            trust_env=False,
            limits=httpx.Limits(max_connections=HOOK_CONCURRENT_MAX),
        )

    async def ask(self, credential: str, document: str | None) -> Mapping[str, Any]:
        """See Decider."""
        body = {"credential": credential, "document": document}
        try:
            async with self._client.stream("POST", self._url, json=body) as response:
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    raise Unauthorized("the credential is not valid")
                if response.status_code == httpx.codes.FORBIDDEN:
                    raise Forbidden("the credential is not for this document")
                if response.status_code != httpx.codes.OK:
                    raise HookFailed(f"it answered {response.status_code}")
                return _decode(await _read(response))
        except httpx.HTTPError as error:
            raise HookFailed(f"it was not reached: {type(error).__name__}") from None

    async def close(self) -> None:
        """See Decider."""
        await self._client.aclose()


async def _read(response: httpx.Response) -> bytes:
    content = b""
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > HOOK_ANSWER_BYTES_MAX:
            raise HookFailed(f"its answer has more than {HOOK_ANSWER_BYTES_MAX} bytes")
    return content


def _decode(content: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise HookFailed("its answer is not JSON") from None
    if not isinstance(answer, dict):
        raise HookFailed("its answer is not a JSON object")
    return answer
