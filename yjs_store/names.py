"""What may be a document's name; one rule for everything that takes one."""

import unicodedata

from yjs_store.errors import NameRefused
from yjs_store.limits import DOCUMENT_NAME_BYTES_MAX


def check_name(name: str) -> str:
    """Return the name.

    A name is 1 to DOCUMENT_NAME_BYTES_MAX bytes of UTF-8 without control characters. Slashes,
    dots and spaces are ordinary: a name is never used as a path.

    Raises:
        NameRefused: it is not a name; the text says why.
    """
    if not name:
        raise NameRefused("the document name is empty")
    try:
        byte_length = len(name.encode())
    except UnicodeEncodeError as error:
        raise NameRefused("the document name is not valid Unicode") from error
    if byte_length > DOCUMENT_NAME_BYTES_MAX:
        raise NameRefused(
            f"the document name has {byte_length} bytes; the bound is {DOCUMENT_NAME_BYTES_MAX}"
        )
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise NameRefused("the document name has a control character")
    return name
