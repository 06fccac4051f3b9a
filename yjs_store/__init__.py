"""A durable store for Yjs documents, usable alone.

::

    async with open_store("sqlite:///notes.db") as store:
        await store.append("my-notes", update)  # durable when it returns
        everything = await store.load("my-notes")
"""

from yjs_store.apart import Apart, bound_this_process
from yjs_store.audience import Listener
from yjs_store.auditing import StoredAuditBook
from yjs_store.breaker import Breaker, BreakerState
from yjs_store.check import CheckDepth, DocumentReport
from yjs_store.check_process import Checked
from yjs_store.checking import CheckPlan, plan_check, run_check
from yjs_store.crdt import check_update, covers_all
from yjs_store.document import Document
from yjs_store.errors import (
    Damaged,
    DocumentDeleted,
    DocumentFailed,
    DocumentMissing,
    EntryMissing,
    ExportUnusable,
    FoldFailed,
    NameRefused,
    NoRoom,
    Poisoned,
    ReadOnlyNow,
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
from yjs_store.export_format import ExportedDocument
from yjs_store.exporting import (
    begin_export,
    export_document,
    export_update,
    finish_export,
    open_export,
    read_exported,
)
from yjs_store.facts import (
    AuditPage,
    AuditRecord,
    BreakerFacts,
    CheckpointRecord,
    CompactOutcome,
    CompactResult,
    ContentFacts,
    Distribution,
    DocumentFacts,
    LiveFacts,
    ScrubFacts,
    SnapshotFacts,
    SpaceChange,
    StoreFacts,
    StoreSpace,
    Switch,
    TraceEvent,
    Traces,
    UnloadResult,
)
from yjs_store.health import Degradation, Trouble
from yjs_store.importing import ImportOutcome, import_update
from yjs_store.listing_records import Order
from yjs_store.names import check_name
from yjs_store.observing_reading import (
    read_audit,
    read_document,
    read_documents,
    read_traces,
)
from yjs_store.opening import open_store
from yjs_store.policy import CheckpointPolicy, checkpoint_due
from yjs_store.quarantine import Quarantine
from yjs_store.quarantine_reading import read_quarantine, read_quarantine_entry
from yjs_store.reading import list_heads, list_names, read_whole, readable
from yjs_store.records import (
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
from yjs_store.sessions import SessionBook
from yjs_store.stack import raise_stack
from yjs_store.store import Store
from yjs_store.stored_facts import (
    StoredObservation,
    observe_stored,
)
from yjs_store.submissions import Sender, Submission
from yjs_store.tallies import Tally
from yjs_store.vacuuming import check_room
from yjs_store.work import Work, WorkKind

__all__ = [
    "Apart",
    "AuditPage",
    "AuditRecord",
    "Breaker",
    "BreakerFacts",
    "BreakerState",
    "CheckDepth",
    "CheckPlan",
    "Checked",
    "CheckpointPolicy",
    "CheckpointRecord",
    "CompactOutcome",
    "CompactResult",
    "ContentFacts",
    "Damaged",
    "Degradation",
    "Distribution",
    "Document",
    "DocumentDeleted",
    "DocumentFacts",
    "DocumentFailed",
    "DocumentMissing",
    "DocumentReport",
    "EntryMissing",
    "ExportUnusable",
    "ExportedDocument",
    "FoldFailed",
    "Head",
    "ImportOutcome",
    "JournalRow",
    "Listener",
    "LiveFacts",
    "NameRefused",
    "NoRoom",
    "Order",
    "Permission",
    "Poisoned",
    "Quarantine",
    "QuarantineEntry",
    "ReadOnlyNow",
    "Receipt",
    "Revocation",
    "SalvagePlan",
    "ScrubFacts",
    "Sender",
    "Session",
    "SessionBook",
    "SessionRefused",
    "SessionStatus",
    "SetAside",
    "SnapshotFacts",
    "SpaceChange",
    "Statistics",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFacts",
    "StoreFailing",
    "StoreFull",
    "StoreInUse",
    "StoreSpace",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUnusable",
    "StoredAuditBook",
    "StoredObservation",
    "Submission",
    "Switch",
    "Tally",
    "TraceEvent",
    "Traces",
    "TrialFailed",
    "TrialsFull",
    "Trouble",
    "UnloadResult",
    "UpdateRefused",
    "UpdateTooLarge",
    "Work",
    "WorkKind",
    "WriterSuperseded",
    "begin_export",
    "bound_this_process",
    "check_name",
    "check_room",
    "check_update",
    "checkpoint_due",
    "covers_all",
    "export_document",
    "export_update",
    "finish_export",
    "import_update",
    "list_heads",
    "list_names",
    "observe_stored",
    "open_export",
    "open_store",
    "plan_check",
    "plan_salvage",
    "raise_stack",
    "read_audit",
    "read_document",
    "read_documents",
    "read_exported",
    "read_quarantine",
    "read_quarantine_entry",
    "read_sessions",
    "read_set_aside",
    "read_traces",
    "read_whole",
    "readable",
    "revoke_sessions",
    "run_check",
]
