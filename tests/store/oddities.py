"""Updates to inspect: honest ones, odd ones that hurt nobody, and those that are refused.

Shared with the system tests, which give what passes to stock Yjs.
"""

from typing import Final

from yjs_store import limits
from yjs_store.inspection import Findings

from .update_builder import (
    ARRAY,
    FALSE,
    MAP,
    NULL,
    TRUE,
    UNDEFINED,
    WEAK_LINK,
    XML_ELEMENT,
    XML_HOOK,
    Content,
    Struct,
    array,
    bigint,
    binary,
    binary_content,
    delete_set,
    deleted,
    embed,
    float32,
    float64,
    formatting,
    gc,
    integer,
    item,
    json_texts,
    mapping,
    nested_arrays,
    number,
    one,
    run,
    shared_type,
    skip,
    string,
    sub_document,
    text,
    update,
    values,
)
from .update_builder import letters as letters_content

LETTERS: Final = item(letters_content("ab"))
CLOCK_MAX: Final = limits.UPDATE_CLOCK_MAX
NUMBER_MAX: Final = limits.UPDATE_NUMBER_MAX


def nested_json(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


# ---- what passes --------------------------------------------------------------------------------

HONEST: Final = {
    "nothing": (b"\x00\x00", Findings(0, 0, 0, 0)),
    "a letter": (one(LETTERS), Findings(1, 1, 0, 0)),
    "largest client": (one(LETTERS, client=NUMBER_MAX), Findings(1, 1, 0, 0)),
    "last clock": (one(LETTERS, clock=CLOCK_MAX - 2), Findings(1, 1, 0, 0)),
    "not ASCII": (one(item(letters_content("ä€😀"))), Findings(1, 1, 0, 0)),
    "beside two code units": (
        one(item(letters_content("😀")), item(letters_content("a"), origin=(7, 1))),
        Findings(2, 1, 0, 0),
    ),
    "gap": (one(skip(5), LETTERS), Findings(2, 1, 0, 0)),
    "collected": (one(gc(5)), Findings(1, 1, 0, 0)),
    "deleted": (one(item(deleted(5))), Findings(1, 1, 0, 0)),
    "deletes": (
        update(deletes=delete_set((7, [(0, 1), (5, 2)]), (8, []))),
        Findings(0, 0, 0, 0, 3),
    ),
    "two clients": (update(run(7, 0, [LETTERS]), run(8, 3, [LETTERS])), Findings(2, 2, 0, 0)),
    "a format": (one(item(formatting("bold", True))), Findings(1, 1, 0, 0)),
    "a link": (one(item(formatting("link", {"href": "[{"}))), Findings(1, 1, 0, 1)),
    "an embed": (one(item(embed({"image": ["x", {}]}))), Findings(1, 1, 0, 3)),
    "embeds beside each other": (one(item(embed([[1], [[]], {}]))), Findings(1, 1, 0, 3)),
    "binary": (one(item(binary_content(b"\xff"), parent="array")), Findings(1, 1, 0, 0)),
    "a key": (one(item(values(TRUE), parent="map", key="k")), Findings(1, 1, 0, 0)),
    "an element": (one(item(shared_type(XML_ELEMENT, "p"), parent="xml")), Findings(1, 1, 1, 0)),
    "a map in a map": (
        one(
            item(shared_type(MAP), parent="map", key="k"),
            item(shared_type(ARRAY), parent=(7, 0), key="k"),
        ),
        Findings(2, 1, 2, 0),
    ),
    "every value": (
        one(
            item(
                values(
                    *(UNDEFINED, NULL, FALSE, TRUE, integer(5), integer(NUMBER_MAX)),
                    *(integer(64, is_negative=True), float32(1.5), float64(0.1), bigint(-1)),
                    *(string("ü"), binary(b"\xff"), array(), array(TRUE, array())),
                    mapping([("k", array(NULL)), ("l", mapping([]))]),
                ),
                parent="array",
            )
        ),
        Findings(1, 1, 0, 2),
    ),
    "a sub-document": (
        one(item(sub_document("guid", mapping([("meta", array())])), parent="array")),
        Findings(1, 1, 0, 1),
    ),
    "a value 200 deep": (
        one(item(values(nested_arrays(200)), parent="array")),
        Findings(1, 1, 0, 200),
    ),
    # serde_json, under yrs, goes no deeper than 127.
    "the deepest embed": (one(item(embed(nested_json(127)))), Findings(1, 1, 0, 127)),
    "the deepest value": (
        one(item(values(nested_arrays(limits.VALUE_DEPTH_MAX)), parent="array")),
        Findings(1, 1, 0, limits.VALUE_DEPTH_MAX),
    ),
}


# ---- odd, but nobody is hurt: updates that come one after the other -----------------------------

ODD: Final = {
    "a gap at the end": [one(LETTERS, skip(5))],
    "two gaps": [one(LETTERS, skip(2), skip(3), item(letters_content("a"), origin=(7, 1)))],
    "a gap first": [one(skip(2), item(letters_content("a"), origin=(7, 1))), one(LETTERS)],
    "no structs": [update(run(7, 5, []))],
    "in a circle": [
        update(
            run(7, 0, [item(letters_content("a"), origin=(8, 0))]),
            run(8, 0, [item(letters_content("b"), origin=(7, 0))]),
        )
    ],
    "deletes far away": [one(LETTERS), update(deletes=delete_set((7, [(1, CLOCK_MAX - 1)])))],
    "deletes that overlap": [one(LETTERS), update(deletes=delete_set((7, [(0, 2), (1, 1)])))],
    "deletes in disorder": [one(LETTERS), update(deletes=delete_set((7, [(1, 1), (0, 1)])))],
    "padded numbers": [
        b"\x01\x01" + number(7, padding=6) + b"\x00\x04\x01\x04text\x01a\x00",
    ],
    "half a character": [
        one(item(letters_content("😀"))),
        update(deletes=delete_set((7, [(0, 1)]))),
    ],
    "a key of a root text": [one(item(letters_content("abc"), key="k"))],
    "no name": [one(item(letters_content("abc"), parent=""))],
    "letters in an array": [one(item(letters_content("abc"), parent="array"))],
    "values in a text": [one(item(values(TRUE, FALSE)))],
    "a format in a map": [one(item(formatting("b", True), parent="map", key="k"))],
    "an embed in XML": [one(item(embed({}), parent="xml"))],
    "an array in XML": [one(item(shared_type(ARRAY), parent="xml"))],
    "a type for an attribute": [
        one(
            item(shared_type(XML_ELEMENT, "p"), parent="xml"),
            item(shared_type(ARRAY), parent=(7, 0), key="a"),
        )
    ],
    "a prototype": [
        one(item(values(mapping([("__proto__", NULL)])), parent="map", key="__proto__"))
    ],
    "toJSON": [one(item(values(mapping([("toJSON", TRUE)])), parent="array"))],
    "a sub-document with odd options": [
        one(
            item(
                sub_document(
                    "g",
                    mapping([("gc", NULL), ("autoLoad", TRUE), ("meta", array(NULL))]),
                ),
                parent="array",
            )
        ),
        update(deletes=delete_set((7, [(0, 1)]))),
    ],
    "a child of what is deleted": [
        one(item(shared_type(MAP), parent="array")),
        update(deletes=delete_set((7, [(0, 1)]))),
        one(item(values(TRUE), parent=(7, 0), key="k"), client=8),
    ],
    "a child of what is collected": [one(gc(1), item(values(TRUE), parent=(7, 0), key="k"))],
    "neighbours in different parents": [
        one(
            item(letters_content("a")),
            item(values(TRUE), parent="array"),
            item(letters_content("x"), origin=(7, 0), right_origin=(7, 1)),
        )
    ],
    "types as deep as they may be": [
        one(
            item(shared_type(ARRAY), parent="array"),
            *(item(shared_type(ARRAY), parent=(7, c)) for c in range(limits.TYPE_NESTING_MAX - 1)),
        ),
        update(deletes=delete_set((7, [(0, 1)]))),
    ],
}

# ---- what is refused ----------------------------------------------------------------------------

BAD_TEXTS: Final = (b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xe2\x82", b"\xf5\x80\x80\x80")
BAD_JSON: Final = ("", "undefined", "NaN", "-Infinity", "01", "{", "[1,]", '"\t"', "\ufeff1", "-")
TOO_DEEP: Final = limits.VALUE_DEPTH_MAX + 1

REFUSED: Final = {
    "no bytes": b"",
    "no deletes": b"\x00",
    "bytes after its end": one(LETTERS) + b"\x00",
    "more clients than bytes": number(1000) + b"\x00" * 100,
    "more structs than bytes": b"\x01" + number(2**33) + b"\x07\x00\x00",
    "more values than bytes": one(item(Content(8, number(2**33)))),
    "a client above 53 bits": one(LETTERS, client=NUMBER_MAX + 1),
    "a client with nine bytes": b"\x01\x01" + number(7, padding=8) + one(LETTERS)[3:],
    "a clock too high": one(LETTERS, clock=CLOCK_MAX - 1),
    "a gap too long": one(skip(CLOCK_MAX), LETTERS),
    "an origin too high": one(item(letters_content("a"), origin=(8, CLOCK_MAX + 1))),
    "a delete too long": update(deletes=delete_set((7, [(1, CLOCK_MAX)]))),
    "a delete of no length": update(deletes=delete_set((7, [(5, 0)]))),
    "a client twice in deletes": update(deletes=delete_set((7, [(0, 1)]), (7, [(1, 1)]))),
    "an integer above 53 bits": one(item(values(integer(NUMBER_MAX + 1)))),
    "no letters": one(item(letters_content(""))),
    "no values": one(item(values())),
    "nothing deleted": one(item(deleted(0))),
    "nothing collected": one(gc(0)),
    "no gap": one(skip(0)),
    "JSON contents": one(item(json_texts("1"))),
    "a client twice": update(run(7, 0, [LETTERS]), run(7, 2, [LETTERS])),
    "an origin in itself": one(item(letters_content("a"), origin=(7, 0))),
    "a right origin after it": one(item(letters_content("a"), right_origin=(7, 1)), LETTERS),
    "a parent in itself": one(item(shared_type(ARRAY), parent=(7, 0))),
    "neither root nor item": one(Struct(b"\x04\x02\x07\x00\x01a", 1)),
    "a weak link": one(item(shared_type(WEAK_LINK))),
    "a hook": one(item(shared_type(XML_HOOK, "h"), parent="xml")),
    "a value too deep": one(item(values(nested_arrays(TOO_DEEP)), parent="array")),
    "an embed too deep": one(item(embed(nested_json(TOO_DEEP)))),
    "a guid among options": one(item(sub_document("g", mapping([("guid", NULL)])))),
    "a filter among options": one(item(sub_document("g", mapping([("gcFilter", TRUE)])))),
    "too many values in JSON": one(item(embed(b"[" + b"1," * limits.JSON_VALUES_MAX + b"1]"))),
    "null for options": one(item(sub_document("g", NULL), parent="array")),
    **{
        f"kind {kind}": one(Struct(bytes((kind,)) + b"\x01\x04text\x01a", 1))
        for kind in range(11, 32)
    },
    **{f"flags {info}": one(Struct(bytes((info, 1)), 1)) for info in (0x20, 0x80, 0x4A, 0x8A)},
    **{f"tag {tag}": one(item(values(bytes((tag,)) + b"\0" * 9))) for tag in (0, 115, 128, 255)},
    **{f"embed {bad!a}": one(item(embed(bad.encode()))) for bad in BAD_JSON},
    **{f"format {bad!a}": one(item(formatting("b", bad.encode()))) for bad in BAD_JSON},
    **{f"string {bad.hex()}": one(item(Content(4, text(bad)))) for bad in BAD_TEXTS},
    **{f"root {bad.hex()}": one(item(letters_content("a"), parent=bad)) for bad in BAD_TEXTS},
    **{f"key {bad.hex()}": one(item(values(TRUE), key=bad)) for bad in BAD_TEXTS},
    **{f"value {bad.hex()}": one(item(values(string(bad)))) for bad in BAD_TEXTS},
    **{f"property {bad.hex()}": one(item(values(mapping([(bad, TRUE)])))) for bad in BAD_TEXTS},
    **{f"format key {bad.hex()}": one(item(formatting(bad, True))) for bad in BAD_TEXTS},
    **{f"element {bad.hex()}": one(item(shared_type(XML_ELEMENT, bad))) for bad in BAD_TEXTS},
    **{f"guid {bad.hex()}": one(item(sub_document(bad))) for bad in BAD_TEXTS},
}
