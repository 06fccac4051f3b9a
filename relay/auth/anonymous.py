"""The mode `none`: everybody is let in, under one name."""

from typing import Final

from relay.auth.grants import Grant
from yjs_store import Permission

ANONYMOUS: Final = "anonymous"


class Anonymous:
    """An Authority that asks nobody for anything."""

    needs_credential = False
    version = 0

    async def judge(self, credential: str, document: str | None) -> Grant:
        """See Authority."""
        return Grant(ANONYMOUS, Permission.WRITE)

    def refresh(self) -> None:
        """See Authority."""

    async def close(self) -> None:
        """See Authority."""
