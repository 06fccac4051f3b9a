"""Tickets: credentials of one session that carry their own end. Pure.

A ticket is ``{random}.{end}``: the end in milliseconds since 1970, in hexadecimal. Only the hash of
the whole is stored, as the id of its session, so who changes the end has a ticket of no session.
"""

import hashlib
import re

from relay.auth.grants import Unauthorized

_END = re.compile(r"\.([0-9a-f]{1,16})\Z")


def write_ticket(secret: str, expires_ms: int) -> str:
    """Return the ticket of a new random ``secret`` that may be used until ``expires_ms``."""
    return f"{secret}.{expires_ms:x}"


def check_ticket(ticket: str, now_ms: int) -> None:
    """Look whether a ticket may still be used, if its session can be found.

    Raises:
        Unauthorized: it is over, or not a ticket.
    """
    end = _END.search(ticket)
    if end is None:
        raise Unauthorized("the ticket is not valid")
    if now_ms >= int(end[1], 16):
        raise Unauthorized("the ticket is not valid any more")


def session_of(ticket: str) -> str:
    """Return the id of the session that a ticket is for; nobody can tell the ticket by it."""
    return hashlib.sha256(b"ticket " + ticket.encode(errors="surrogatepass")).hexdigest()
