"""What a person sees of a document: every root by name, as JSON or as text.

The type of a root is not stored, and neither is that of a document. So each root is what it shows
itself to be: letters make a text, elements make XML, keys a map, other items an array.
"""

import base64
import json
import math
from collections.abc import Iterable
from typing import Any, Final

import pycrdt

from relay.errors import ContentUnreadable

# Values within values; what is deeper is only said to be there. Editors have some ten.
DEPTH_MAX: Final = 100
_AS_THEY_ARE: Final = (bool, int, str, type(None))

_Doc = pycrdt.Doc[Any]
Root = dict[str, Any]


def read_content(pieces: Iterable[bytes]) -> dict[str, Root]:
    """Return the roots of a document given as pieces of one update, see ``yjs_store.readable``.

    Each is {"type": "text" | "xml" | "array" | "map" | "empty", "value": …}, a text with formats
    or embedded values also has its "delta", and what has items and keys has "attributes".
    The bytes may end the process.

    Raises:
        ContentUnreadable: the decoder fails on it.
    """
    doc: _Doc = pycrdt.Doc()
    try:
        for piece in pieces:
            doc.apply_update(piece)
        return {name: _root(doc, name) for name in sorted(doc.keys())}
    except (ValueError, RuntimeError, TypeError) as error:
        raise ContentUnreadable(f"it cannot be shown: {error}") from error
    except BaseException as error:
        # A panic of the decoder is no Exception; everything else is passed on.
        if type(error).__name__ != "PanicException":
            raise
        raise ContentUnreadable("it cannot be shown: the decoder fails on it") from error


def as_text(content: dict[str, Root]) -> str:
    """Return a document for reading: each root under its name, texts as they are."""
    return "\n".join(f"{name}: {_root_text(root)}" for name, root in content.items())


def _root_text(root: Root) -> str:
    if root["type"] == "empty":
        return ""
    value = root["value"]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _root(doc: _Doc, name: str) -> Root:
    # As a map first: looking at items as another type changes nothing, but is looked at once.
    keys = doc.get(name, type=pycrdt.Map)
    attributes = {key: _value(keys[key], 0) for key in sorted(keys.keys())}
    root = _sequence(doc, name)
    if root is None:
        return {"type": "map", "value": attributes} if attributes else {"type": "empty"}
    return root | {"attributes": attributes} if attributes else root


def _sequence(doc: _Doc, name: str) -> Root | None:
    text = doc.get(name, type=pycrdt.Text)
    if letters := str(text):
        return {"type": "text", "value": letters} | _delta(text)
    items = list(doc.get(name, type=pycrdt.Array))
    if any(isinstance(item, pycrdt.XmlElement | pycrdt.XmlText) for item in items):
        return {"type": "xml", "value": str(doc.get(name, type=pycrdt.XmlFragment))}
    return {"type": "array", "value": [_value(item, 0) for item in items]} if items else None


def _delta(text: pycrdt.Text | pycrdt.XmlText) -> dict[str, Any]:
    """Return what a text has beside letters, in the shape of a Quill delta; nothing for most."""
    runs = text.diff()
    if all(isinstance(insert, str) and not formats for insert, formats in runs):
        return {}
    return {
        "delta": [
            {"insert": _value(insert, 0)} | ({"attributes": _plain(formats, 0)} if formats else {})
            for insert, formats in runs
        ]
    }


def _value(value: Any, depth: int) -> Any:
    """Return a value or a shared type within a document, for JSON."""
    if depth > DEPTH_MAX:
        return "(deeper than is shown)"
    match value:
        case pycrdt.Text() | pycrdt.XmlText() | pycrdt.XmlElement() | pycrdt.XmlFragment():
            return str(value)
        case pycrdt.Map():
            return {key: _value(value[key], depth + 1) for key in sorted(value.keys())}
        case pycrdt.Array():
            return [_value(item, depth + 1) for item in value]
        case pycrdt.Doc():
            return {"subdocument": value.guid}
    return _plain(value, depth)


def _plain(value: Any, depth: int) -> Any:
    """Return a value that is no shared type; JSON has no bytes, no NaN and no infinity."""
    if depth > DEPTH_MAX:
        return "(deeper than is shown)"
    match value:
        case float():
            return _number(value)
        case dict():
            return {str(key): _plain(each, depth + 1) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each, depth + 1) for each in value]
        case bytes() | bytearray():
            return {"bytes": base64.b64encode(value).decode()}
    return value if isinstance(value, _AS_THEY_ARE) else f"({type(value).__name__})"


def _number(value: float) -> float | int | str:
    """Return a number; a whole one, which Yjs does not tell from others, without a point."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
