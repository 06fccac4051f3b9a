"""Which document a request path names. Pure."""

from urllib.parse import unquote_to_bytes

from relay.errors import BadDocumentName
from relay.limits import PATH_BYTES_MAX
from yjs_store import NameRefused, check_name

_PREFIX = b"/ws/"


def document_name(raw_path: bytes) -> str:
    """Return the name in ``/ws/{document}`` or ``/{document}``, given the path as it was sent.

    Decoded once and strictly: what is not valid percent-encoded UTF-8 is no name. The path
    ``/ws`` alone names a document "ws", as any other word would.

    Raises:
        BadDocumentName: the path does not hold a document name.
    """
    return _name_after(raw_path, _PREFIX if raw_path.startswith(_PREFIX) else b"/")


def document_name_after(prefix: bytes, raw_path: bytes) -> str:
    """Return the name in ``{prefix}{document}``, read as in ``document_name``.

    Raises:
        BadDocumentName: the path does not begin so, or does not hold a document name.
    """
    if not raw_path.startswith(prefix):
        raise BadDocumentName("the path is encoded where it need not be")
    return _name_after(raw_path, prefix)


def document_in_segment(encoded: bytes) -> str:
    """Return the name that one segment of a path is, read as in ``document_name``.

    Raises:
        BadDocumentName: it is none.
    """
    return _name_after(encoded, b"")


def _name_after(raw_path: bytes, prefix: bytes) -> str:
    if len(raw_path) > PATH_BYTES_MAX:
        raise BadDocumentName(f"the path has {len(raw_path)} bytes; the bound is {PATH_BYTES_MAX}")
    encoded = raw_path.removeprefix(prefix)
    if not _is_percent_encoded(encoded):
        raise BadDocumentName("the path has a broken percent-encoding")
    try:
        return check_name(unquote_to_bytes(encoded).decode())
    except UnicodeDecodeError as error:
        raise BadDocumentName("the path is not UTF-8") from error
    except NameRefused as error:
        raise BadDocumentName(str(error)) from error


def _is_percent_encoded(encoded: bytes) -> bool:
    hexadecimal = b"0123456789abcdefABCDEF"
    return all(
        len(part) >= 2 and part[0] in hexadecimal and part[1] in hexadecimal
        for part in encoded.split(b"%")[1:]
    )
