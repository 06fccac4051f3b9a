"""Close codes, and the errors that carry them.

4400-4499 are permanent: a stock y-websocket client does not come back by itself. 4500-4599 and
the standard codes are transient: it comes back with backoff.

::

    RelayError                a connection ends; has the code and a reason for the client
    ├── MalformedMessage      4400  not y-protocol
    ├── BadDocumentName       4400  the path does not hold a document name
    └── AdmissionRefused      nobody is let in; its tree is in relay.auth.grants
    ConfigError               the command line, environment or file is not usable
    ContentUnreadable         what a document holds cannot be shown
"""

import enum
from typing import ClassVar


class CloseCode(enum.IntEnum):
    """Why the server closes a socket."""

    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    INTERNAL_ERROR = 1011
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    DELETED = 4410
    TOO_LARGE = 4413
    UPDATE_REFUSED = 4422
    DOCUMENT_FAILED = 4500
    DOCUMENT_DAMAGED = 4502
    STORAGE_FAILING = 4503
    ADMISSION_UNAVAILABLE = 4504
    TOO_SLOW = 4508
    TOO_MANY = 4529


class RelayError(Exception):
    """A connection must end; the text is the reason its client is told."""

    code: ClassVar[CloseCode] = CloseCode.INTERNAL_ERROR


class MalformedMessage(RelayError):
    """The bytes are not a y-protocol message."""

    code = CloseCode.BAD_REQUEST


class BadDocumentName(RelayError):
    """The path does not hold a document name."""

    code = CloseCode.BAD_REQUEST


class ConfigError(Exception):
    """The configuration is not usable; the text says what to change."""


class ContentUnreadable(Exception):
    """What a document holds cannot be shown; the text says why."""
