"""A durable store for Yjs documents, usable alone.

::

    async with open_store("sqlite:///notes.db") as store:
        await store.append("my-notes", update)  # durable when it returns
        everything = await store.load("my-notes")
"""

from yjs_store.check import CheckDepth, DocumentReport
from yjs_store.check_process import Checked
from yjs_store.checking import CheckPlan, plan_check, run_check
from yjs_store.committer import CommitterState
from yjs_store.crdt import check_update
from yjs_store.document import Document, Listener
from yjs_store.errors import (
    Damaged,
    DocumentDeleted,
    DocumentFailed,
    DocumentMissing,
    EntryMissing,
    FoldFailed,
    NameRefused,
    Poisoned,
    SessionRefused,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFailing,
    StoreFull,
    StoreInUse,
    StoreTooNew,
    StoreUnavailable,
    StoreUnusable,
    TrialFailed,
    TrialsFull,
    UpdateRefused,
    UpdateTooLarge,
    WriterSuperseded,
)
from yjs_store.health import Degradation, Trouble
from yjs_store.names import check_name
from yjs_store.policy import CheckpointPolicy
from yjs_store.quarantine import Quarantine, QuarantineState
from yjs_store.quarantine_reading import read_quarantine, read_quarantine_entry
from yjs_store.records import (
    CheckpointResult,
    Head,
    JournalRow,
    Permission,
    QuarantineEntry,
    Receipt,
    Session,
    SessionStatus,
    SetAside,
    Statistics,
)
from yjs_store.revoking import Revocation, read_sessions, revoke_sessions
from yjs_store.salvage import SalvagePlan
from yjs_store.salvaging import plan_salvage, read_set_aside
from yjs_store.scrubber import ScrubState
from yjs_store.sessions import SessionBook
from yjs_store.stack import raise_stack
from yjs_store.store import Store, open_store
from yjs_store.submissions import Sender, Submission

__all__ = [
    "CheckDepth",
    "CheckPlan",
    "Checked",
    "CheckpointPolicy",
    "CheckpointResult",
    "CommitterState",
    "Damaged",
    "Degradation",
    "Document",
    "DocumentDeleted",
    "DocumentFailed",
    "DocumentMissing",
    "DocumentReport",
    "EntryMissing",
    "FoldFailed",
    "Head",
    "JournalRow",
    "Listener",
    "NameRefused",
    "Permission",
    "Poisoned",
    "Quarantine",
    "QuarantineEntry",
    "QuarantineState",
    "Receipt",
    "Revocation",
    "SalvagePlan",
    "ScrubState",
    "Sender",
    "Session",
    "SessionBook",
    "SessionRefused",
    "SessionStatus",
    "SetAside",
    "Statistics",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFailing",
    "StoreFull",
    "StoreInUse",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUnusable",
    "Submission",
    "TrialFailed",
    "TrialsFull",
    "Trouble",
    "UpdateRefused",
    "UpdateTooLarge",
    "WriterSuperseded",
    "check_name",
    "check_update",
    "open_store",
    "plan_check",
    "plan_salvage",
    "raise_stack",
    "read_quarantine",
    "read_quarantine_entry",
    "read_sessions",
    "read_set_aside",
    "revoke_sessions",
    "run_check",
]
