"""All updates that are known, or likely, to hurt a decoder: each by name, as a sequence to send."""

from collections.abc import Mapping
from typing import Final

from fuzzlib import deep_poisons, large_poisons, odd_poisons, order_poisons
from fuzzlib.scene import Maker

POISONS: Final[Mapping[str, Maker]] = {
    **deep_poisons.POISONS,
    **large_poisons.POISONS,
    **order_poisons.POISONS,
    **odd_poisons.POISONS,
}
