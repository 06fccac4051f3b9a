"""Recognises the updates of plain typing at a glance; pure.

Nearly every update is a keystroke. One regular expression tells it from everything that needs a
closer look. What it knows cannot nest and holds no values, so it costs whoever decodes it
nothing; whatever else `inspect` refuses is not in it either, the bounds of numbers included.
"""

import re
from typing import Final

# A client of up to 53 bits, with no byte too many: two are one client when their bytes are alike.
# All quantifiers are possessive, and no two branches of a choice begin alike for more than eight
# bytes: there is next to nothing to try again, whatever they are.
_CLIENT: Final = rb"(?:[\x80-\xff]{1,6}+[\x01-\x7f]|[\x80-\xff]{7}[\x01-\x0f]|[\x00-\x7f])"
# A clock or a length of up to 28 bits; two of them together stay below UPDATE_CLOCK_MAX.
_CLOCK: Final = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
# A clock that is written with no byte too many, so that of two the larger one is to be seen.
_SHORT_CLOCK: Final = rb"(?:[\x80-\xff]{1,3}+[\x01-\x7f]|[\x00-\x7f])"
# How much is deleted; a row has thousands of these, and all of it takes its time.
_LENGTH: Final = rb"[\x01-\x03]"

_TWO: Final = rb"[\xc2-\xdf][\x80-\xbf]"
_THREE: Final = rb"(?:\xe0[\xa0-\xbf]|\xed[\x80-\x9f]|[\xe1-\xec\xee\xef][\x80-\xbf])[\x80-\xbf]"
_FOUR: Final = rb"(?:\xf0[\x90-\xbf]|\xf4[\x80-\x8f]|[\xf1-\xf3][\x80-\xbf])[\x80-\xbf][\x80-\xbf]"
# One character of any length, or a few of ASCII.
_STRING: Final = b"(?:%s)" % b"|".join(
    [
        rb"\x01[\x00-\x7f]",
        rb"\x02(?:[\x00-\x7f]{2}|" + _TWO + rb")",
        rb"\x03(?:[\x00-\x7f]{3}|" + _THREE + rb")",
        rb"\x04(?:[\x00-\x7f]{4}|" + _FOUR + rb")",
        *(b"\\x%02x[\\x00-\\x7f]{%d}" % (length, length) for length in range(5, 33)),
    ]
)


# A root type's name: Yjs writes it where there is nothing yet to stand beside.
_ROOT: Final = b"(?:%s)" % b"|".join(
    b"\\x%02x[\\x00-\\x7f]{%d}" % (length, length) for length in range(1, 17)
)
# An id: of the update's own client, then its clock is kept; or of another.
_ORIGIN: Final = rb"(?:\1(" + _CLOCK + rb")|(?!\1)" + _CLIENT + _CLOCK + rb")"
_BESIDE: Final = rb"(?:(\xc4)|[\x84\x44])" + _ORIGIN + rb"(?(3)" + _ORIGIN + rb")"
_ITEM: Final = rb"(?:" + _BESIDE + rb"|\x04\x01" + _ROOT + rb")" + _STRING
_RANGES: Final = rb"(?:\x01%s%s|\x02(?:%s%s){2}|\x03(?:%s%s){3})" % ((_CLOCK, _LENGTH) * 3)
_DELETES: Final = rb"(?:\x00|\x01" + _CLIENT + _RANGES + rb")"
_RUN: Final = rb"\x01(" + _CLIENT + rb")(" + _SHORT_CLOCK + rb")" + _ITEM
_match: Final = re.compile(
    rb"(?s:\x01" + _RUN + _DELETES + rb"|\x00\x01" + _CLIENT + _RANGES + rb")"
).fullmatch

# One letter beside one of the same client whose clock differs in its lowest seven bits at most:
# nine of ten keystrokes, at less than the price. What is not found here is looked for above.
_LOWEST: Final = rb"([\x80-\xff])"
_HIGHER: Final = rb"([\x80-\xff]{0,2}+[\x01-\x7f])"
_BEHIND: Final = rb"\x84\1" + _LOWEST + rb"\3"
_BETWEEN: Final = rb"\xc4\1" + _LOWEST + rb"\3\1(" + _CLOCK + rb")"
_LETTER: Final = rb"(?:" + _BEHIND + rb"|" + _BETWEEN + rb")\x01[\x00-\x7f]"
_match_letter: Final = re.compile(
    rb"(?s:\x01\x01(" + _CLIENT + rb")" + _LOWEST + _HIGHER + _LETTER + rb"\x00)"
).fullmatch
_from_bytes: Final = int.from_bytes


def is_plain(update: bytes) -> bool:
    """Say whether an update is plain typing: one short string, or a few ranges deleted, or both.

    True implies that ``inspect`` passes it and finds no types and no values. False says nothing.
    """
    letter = _match_letter(update)
    if letter is not None:
        lowest, behind = letter[2], letter[4]
        if behind is not None:
            if behind < lowest:
                return True
        elif letter[5] < lowest and _is_before(letter[6], lowest + letter[3]):
            return True
    return _is_plain_string_or_deletes(update)


def _is_plain_string_or_deletes(update: bytes) -> bool:
    match = _match(update)
    if match is None:
        return False
    clock, first, second = match[2], match[4], match[5]
    # What a struct stands beside must come before it.
    return (first is None or _is_before(first, clock)) and (
        second is None or _is_before(second, clock)
    )


def _is_before(one: bytes, other: bytes) -> bool:
    # The lowest seven bits come first, and all bytes but the last have the same eighth bit; so
    # they compare like the numbers they mean.
    return _from_bytes(one, "little") < _from_bytes(other, "little")
