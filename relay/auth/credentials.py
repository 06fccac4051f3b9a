"""Finds the one credential of a request, wherever it stands, and never shows it. Pure."""

import enum
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from relay.auth.grants import BadRequest, Unauthorized
from relay.limits import AGENT_CHARACTERS_MAX, CREDENTIAL_BYTES_MAX, QUERY_FIELDS_MAX

# The sub-protocol that the server answers with; the one with the credential is never repeated.
SUBPROTOCOL: Final = "yjs-relay"
_TOKEN_PROTOCOL: Final = "token."  # noqa: S105  (the name of it, not one)

Headers = Iterable[tuple[bytes, bytes]]


class CredentialKind(enum.Enum):
    """What a credential is judged by."""

    TOKEN = "token"  # noqa: S105  (the name of it, not one)
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client shows; its text appears in no ``repr``."""

    kind: CredentialKind
    text: str = field(repr=False)


def websocket_credential(
    headers: Headers, query: bytes, subprotocols: Sequence[str]
) -> Credential | None:
    """Return the credential of a websocket's handshake; None when there is none.

    It stands in ``Authorization: Bearer``, ``?token=``, ``?ticket=``, or in a sub-protocol
    ``token.…`` beside ``yjs-relay``.

    Raises:
        BadRequest: there are several, or it is too long.
        Unauthorized: it is not valid Unicode, so nobody who decides can be asked about it.
    """
    found = [*_from_headers(headers), *_from_query(query)]
    found += [
        Credential(CredentialKind.TOKEN, protocol.removeprefix(_TOKEN_PROTOCOL))
        for protocol in subprotocols
        if protocol.startswith(_TOKEN_PROTOCOL)
    ]
    return _only(found)


def http_credential(headers: Headers) -> Credential | None:
    """Return the credential of an HTTP request, which is in ``Authorization: Bearer`` only.

    Raises:
        BadRequest: there are several, or it is too long.
    """
    return _only(list(_from_headers(headers)))


def client_details(peer: str, headers: Headers) -> dict[str, str]:
    """Return what a person may want to know of a client that is let in."""
    agents = [value.decode("latin-1") for name, value in headers if name.lower() == b"user-agent"]
    details = {"peer": peer}
    if agents:
        agent = "".join(filter(str.isprintable, agents[0]))
        details["agent"] = agent[:AGENT_CHARACTERS_MAX]
    return details


def credential_hash(text: str) -> bytes:
    """Return what of a credential may be stored and compared."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _from_headers(headers: Headers) -> Iterable[Credential]:
    for name, value in headers:
        if name.lower() == b"authorization":
            scheme, _, text = value.decode("latin-1").partition(" ")
            # Another scheme is the business of a proxy before us.
            if scheme.lower() == "bearer":
                yield Credential(CredentialKind.TOKEN, text.strip())


def _from_query(query: bytes) -> Iterable[Credential]:
    try:
        fields = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX
        )
    except ValueError:
        raise BadRequest("the query has too many fields") from None
    for name, value in fields:
        if name in ("token", "ticket"):
            yield Credential(CredentialKind(name), value)


def _only(found: Sequence[Credential]) -> Credential | None:
    if len(found) > 1:
        raise BadRequest("more than one credential was given")
    if found and len(found[0].text) > CREDENTIAL_BYTES_MAX:
        raise BadRequest("the credential is too long")
    if found:
        _check_unicode(found[0].text)
    return found[0] if found else None


def _check_unicode(text: str) -> None:
    # A header's bytes that are no text are lone surrogates by now, which no JSON has.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unauthorized("the credential is not valid") from None
