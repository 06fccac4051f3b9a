"""What can be found, and how it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fuzzlib.cases import Case


class Kind(StrEnum):
    """Which oracle fired; the first are the worst."""

    SERVER_DIED = "the server died"
    SERVER_HUNG = "the server's event loop was blocked"
    SERVER_BLOATED = "the server's memory grew over its bound"
    SERVER_LOGGED = "the server logged something else than refusals"
    STORE_DIFFERS = "what is stored is not what clients had receipts for"
    STORE_UNSOUND = "the store is not sound, or does not open"
    PYCRDT_HURT = "a pycrdt client died, or stumbled, over what was relayed"
    STOCK_HURT = "a stock Yjs client threw, hung or died over what was relayed"
    REPLICAS_DIFFER = "replicas differ"
    BYSTANDER_CLOSED = "an honest client was closed"
    NO_RECEIPT = "an honest client had no receipt in time"
    NO_ANSWER = "an attacker with a proper message got neither receipt nor close"
    VALID_REFUSED = "a valid update was refused"
    # Counted apart: nothing that a server could do about it.
    YRS_ERRS = "a pycrdt client erred where stock Yjs does not"


# Of what somebody said so much is told, of its beginning and of its end.
_SAID: Final = 700


def shortened(said: str) -> str:
    """Return the beginning, which says what it is, and the end, where the last words are."""
    return said if len(said) <= 2 * _SAID else f"{said[:_SAID]} … {said[-_SAID:]}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One firing of an oracle. ``cases`` are those that may have caused it, newest last."""

    kind: Kind
    detail: str
    document: str
    cases: Sequence[Case]

    @property
    def attack(self) -> str:
        """The attack that is the first suspect."""
        return self.cases[-1].attack if self.cases else "nothing"

    @property
    def is_of_server(self) -> bool:
        """Whether it is about the server, and not about a client alone."""
        return self.kind != Kind.YRS_ERRS
