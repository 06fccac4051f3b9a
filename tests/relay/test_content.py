"""Every root is what it shows itself to be, and whatever is in it can be told as JSON."""

import json
import math
from typing import Any

import pycrdt
import pytest

from relay.content import DEPTH_MAX, as_text, read_content
from relay.errors import ContentUnreadable
from yjs_store import readable

Doc = pycrdt.Doc[Any]


def content(doc: Doc) -> dict[str, Any]:
    found = read_content(readable(doc.get_update()))
    # Whatever it is, JSON has it, and no NaN.
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_nothing_is_empty() -> None:
    assert read_content(readable(b"\x00\x00")) == {}
    doc: Doc = pycrdt.Doc()
    text = doc.get("text", type=pycrdt.Text)
    text += "gone"
    del text[:]
    assert content(doc) == {"text": {"type": "empty"}}
    assert as_text(content(doc)) == "text: "


def test_formats_and_what_is_embedded_are_a_delta() -> None:
    doc: Doc = pycrdt.Doc()
    text = doc.get("text", type=pycrdt.Text)
    text += "bold plain"
    text.format(0, 4, {"bold": True})
    text.insert_embed(10, {"image": "x.png"})
    assert content(doc)["text"] == {
        "type": "text",
        "value": "bold plain",
        "delta": [
            {"insert": "bold", "attributes": {"bold": True}},
            {"insert": " plain"},
            {"insert": {"image": "x.png"}},
        ],
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, 1),
        (2.5, 2.5),
        (float(2**60), float(2**60)),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, True),
        (None, None),
        (b"\x00", {"bytes": "AA=="}),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    ],
)
def test_every_value_has_its_json(value: object, shown: object) -> None:
    doc: Doc = pycrdt.Doc()
    doc.get("map", type=pycrdt.Map)["key"] = value
    assert content(doc)["map"] == {"type": "map", "value": {"key": shown}}


def test_an_array_of_letters_is_no_text() -> None:
    doc: Doc = pycrdt.Doc()
    doc.get("list", type=pycrdt.Array).extend(["a", "b"])
    assert content(doc)["list"] == {"type": "array", "value": ["a", "b"]}


def test_types_within_types_are_shown() -> None:
    doc: Doc = pycrdt.Doc()
    root = doc.get("map", type=pycrdt.Map)
    root["xml"] = pycrdt.XmlFragment()
    root["xml"].children.append(pycrdt.XmlElement("p"))
    root["list"] = pycrdt.Array([pycrdt.Text("t"), pycrdt.Map({"k": 1})])
    sub: Doc = pycrdt.Doc()
    root["doc"] = sub
    shown = content(doc)["map"]["value"]
    assert shown == {"doc": {"subdocument": sub.guid}, "list": ["t", {"k": 1}], "xml": "<p></p>"}


def test_what_has_items_and_keys_loses_neither() -> None:
    doc: Doc = pycrdt.Doc()
    text = doc.get("both", type=pycrdt.Text)
    text += "letters"
    doc.get("both", type=pycrdt.Map)["key"] = "value"
    assert content(doc)["both"] == {
        "type": "text",
        "value": "letters",
        "attributes": {"key": "value"},
    }


def test_what_is_too_deep_is_said_to_be_there() -> None:
    doc: Doc = pycrdt.Doc()
    outer = doc.get("deep", type=pycrdt.Array)
    for _ in range(DEPTH_MAX + 50):
        outer.append(pycrdt.Array())
        outer = outer[0]
    assert "(deeper than is shown)" in json.dumps(content(doc))
    value: object = "bottom"
    for _ in range(DEPTH_MAX + 50):
        value = [value]
    doc.get("value", type=pycrdt.Array).append(value)
    assert "bottom" not in json.dumps(content(doc)["value"])


def test_half_a_character_is_no_reason_to_show_nothing() -> None:
    doc: Doc = pycrdt.Doc()
    text = doc.get("text", type=pycrdt.Text)
    text += "a🚲b"
    assert content(doc)["text"]["value"] == "a🚲b"


@pytest.mark.parametrize("update", [b"", b"\xff", b"no update"])
def test_what_is_no_update_is_said(update: bytes) -> None:
    with pytest.raises(ContentUnreadable):
        read_content([update])


def test_what_the_decoder_panics_on_is_said() -> None:
    pieces = [
        bytes.fromhex("0101ef070004010174016100"),
        bytes.fromhex("0101ef075f4158000001ef07012201"),
    ]
    with pytest.raises(ContentUnreadable):
        read_content(pieces)
