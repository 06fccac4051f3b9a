"""What the engine asks of Yjs updates: merge, cut and compare them, hold their sum, fold it.

It only names what the modules below do, so that nobody else must know which of them does what.
"""

from yjs_store.clocks import (
    EMPTY_STATE_VECTOR,
    EMPTY_UPDATE,
    delete_everything,
    parse_delete_set,
    parse_state_vector,
)
from yjs_store.content import Content
from yjs_store.decoder import IntegrationFailed, check_update, diff
from yjs_store.merging import cut, merge, readable
from yjs_store.proof import covers_all, difference, fold
from yjs_store.replica import MendingNeeded, Replica, StartUnreadable

__all__ = [
    "EMPTY_STATE_VECTOR",
    "EMPTY_UPDATE",
    "Content",
    "IntegrationFailed",
    "MendingNeeded",
    "Replica",
    "StartUnreadable",
    "check_update",
    "covers_all",
    "cut",
    "delete_everything",
    "diff",
    "difference",
    "fold",
    "merge",
    "parse_delete_set",
    "parse_state_vector",
    "readable",
]
