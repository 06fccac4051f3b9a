"""Every bound of the store, each with its reason."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# A name travels in URLs, log lines and database keys; longer ones are mistakes or attacks.
DOCUMENT_NAME_BYTES_MAX: Final = 1024

# A first sync of a whole vault or a very large paste arrives as one update (wire facts: 30 MiB
# must pass); above this nothing can be handled without hurting the other documents.
UPDATE_BYTES_MAX: Final = 64 * MIB

# Numbers in an update: JavaScript cannot hold more exactly, and yrs silently takes another.
UPDATE_NUMBER_MAX: Final = 2**53 - 1
# Where the clocks of a client end. yrs counts them in 32 bits and wraps without a word; with half
# of that no sum of a clock and a length can. A person types for ever and stays below.
UPDATE_CLOCK_MAX: Final = 2**31 - 1
# A struct takes some 200 bytes in memory, here and in every client: with these 400 MB. The
# first sync of a 30 MB vault that was typed letter by letter has 1.5 million.
UPDATE_STRUCTS_MAX: Final = 2_000_000
# Ranges that are deleted, and values within contents: a tenth of a struct's memory each.
UPDATE_RANGES_MAX: Final = 2_000_000
UPDATE_VALUES_MAX: Final = 8_000_000
# Values in one text of JSON, an embed or the value of a format: it is parsed to see that it can
# be, at some 170 bytes for each. Pictures within are one value.
JSON_VALUES_MAX: Final = 1_000_000
# Clients in one update; each has its table in every decoder. A page that 100,000 tabs wrote to
# is beyond what anybody has.
UPDATE_CLIENTS_MAX: Final = 100_000
# Arrays and objects within each other in one value. Stock Yjs in Node decodes some thousands
# before its stack ends, yrs 10,000; editors stay below 100, and 200 shall pass.
VALUE_DEPTH_MAX: Final = 500
# Shared types within each other in one document. Stock Yjs deletes and prints them recursively.
TYPE_NESTING_MAX: Final = 500

# Updates of one document gathered in one round become one row. `merge_updates` of many at once
# grows faster than their number, so slices of this many are merged first, then their results.
MERGE_SLICE: Final = 64

# One row of folded updates stays small enough to check, merge and send without a pause; what is
# left over goes into the next round, so that a busy document does not delay the others.
FOLD_UPDATES_MAX: Final = 2048
FOLD_BYTES_MAX: Final = 1 * MIB

# What one commit carries over all documents: bounds the time until the next one can start.
COMMIT_BYTES_MAX: Final = 16 * MIB

# Raw bytes of a snapshot in one chunk: large enough to compress well (a 377 KB document is one
# chunk), small enough that staging one is a short transaction.
SNAPSHOT_CHUNK_BYTES: Final = 512 * KIB

# SQLite holds at most 1 GB in a value and this format at most 1 GiB in a snapshot.
SNAPSHOT_BYTES_MAX: Final = 1024 * MIB

# A journal row above this would hold up every commit and every load beside it; an update of
# this size goes into a snapshot at once.
JOURNAL_ROW_BYTES_MAX: Final = 3 * MIB // 2

# Structs in one row: a Doc takes them in time quadratic to their number, so many a millisecond
# and a half; an update that has more goes into a snapshot, where what can be joined is joined.
ROW_STRUCTS_MAX: Final = 2048
# Structs of one piece of an update that is integrated piece by piece: 256 take 0.1 ms.
SLICE_STRUCTS: Final = 256
# Clocks that one update may delete in the event loop and as a journal row. A struct that is
# deleted takes longer the more there are: 5 us in a document of 700,000. What deletes more is
# tried, goes into a snapshot, and is carried out in pieces of the second number.
DELETES_INLINE_MAX: Final = 4096
SLICE_DELETES: Final = 1024
# Clocks up to which deletes are cut, of one client and of one update: a range may say 2^31.
DELETES_CUT_MAX: Final = 4 * MIB
# The least that a struct takes in an update.
STRUCT_BYTES_MIN: Final = 2
# The least that a struct takes that is a type within another: kind, its parent, which type.
TYPE_BYTES_MIN: Final = 4

# Structs and values of one update that are inspected in the event loop, where everybody waits:
# some two milliseconds. What has more goes to the trial process.
INLINE_WORK_MAX: Final = 2000
# Bytes of one update that are decoded and integrated in the event loop untried.
INLINE_BYTES_MAX: Final = 1 * MIB

# A document above this is not mended where others would wait for it: below, that takes some 30 ms.
MEND_INLINE_BYTES: Final = 64 * KIB

# What is tried at a time of one document; then it is the turn of the next.
TRIAL_UPDATES_MAX: Final = 64
TRIAL_BYTES_MAX: Final = 4 * MIB
# Of so many it is known how much of the trials they have used, the least of them forgotten first.
TRIAL_WHO_MAX: Final = 1000
# When it has taken this long, what is left waits for the next turn.
TRIAL_TURN_S: Final = 1.0
# What waits for its trial in one store. Each connection has its own bound below this.
TRIAL_WAITING_BYTES_MAX: Final = 512 * MIB
# Processor time of one update's trial, and how many bytes of document and update add a second:
# ten times what honest ones need. Who is refused for it took this much, once for a connection.
TRIAL_CPU_S: Final = 5
TRIAL_CPU_BYTES_PER_S: Final = 2 * MIB
# Of that, what deleting the document again may take, the oldest of it first.
TRIAL_DELETING_S: Final = 1.0
# A document above this is measured when it is loaded, before somebody's first type waits for a
# trial of all of it: below, that takes less than a fifth of a second.
MEASURE_BYTES_MIN: Final = 256 * KIB
# Only what neither works nor ends takes this long: a process that somebody has stopped.
TRIAL_TIMEOUT_S: Final = 300.0
# Memory of the trial process: Python and the libraries; and a struct of three bytes takes some
# 200 in a Doc, of which there are two.
TRIAL_MEMORY_BASE_BYTES: Final = 512 * MIB
TRIAL_MEMORY_PER_BYTE: Final = 128
TRIAL_MEMORY_BYTES_MAX: Final = 6 * 1024 * MIB
# The stack of a trial, which is what every system gives; and of a server, so that what the one
# survives the other survives. Only address space is taken in advance.
TRIAL_STACK_BYTES: Final = 8 * MIB
SERVER_STACK_BYTES: Final = 64 * MIB
# Documents that killed a trial at their opening, remembered so that it is not done again.
POISONED_MAX: Final = 10_000

# Room on the disk that checkpoints leave to the journal.
DISK_RESERVE_BYTES: Final = 64 * MIB

# Rows deleted by one step of trimming: a step takes about a millisecond.
TRIM_ROWS_STEP: Final = 500

# Chunks deleted by one step of trimming: each is up to a hundred and more pages.
TRIM_CHUNKS_STEP: Final = 8

# Updates integrated since the pending structs were last separated out; bounds that work and the
# memory of a replica.
PENDING_SCAN_UPDATES: Final = 256
PENDING_SCAN_BYTES: Final = 256 * KIB

# Documents that nobody has open rest in memory for the next who asks: without this, each
# `append` by name would read the whole document first.
RESTING_DOCUMENTS_MAX: Final = 16
RESTING_BYTES_MAX: Final = 8 * MIB

# Documents listed by one call.
LIST_PAGE_MAX: Final = 1000

# Characters of the reason that is kept with what was set aside; a broken table names every row.
SET_ASIDE_REASON_MAX: Final = 2000

# What one process of a check takes at a time: enough that starting costs nothing beside it,
# little enough that the progress moves.
CHECK_BATCH_DOCUMENTS: Final = 256
CHECK_BATCH_BYTES: Final = 16 * MIB
# What is read ahead of a check; more would push out of memory what others need.
READ_AHEAD_BYTES_MAX: Final = 2048 * MIB

# The scrubber reads at this rate, a hundredth of what a disk gives: 340 GiB in a day.
SCRUB_BYTES_PER_S: Final = 4 * MIB
# What looking at a document costs beside its bytes, so that many small ones take no more.
SCRUB_DOCUMENT_BYTES_MIN: Final = 64 * KIB
# A pass begins this long after the one before began; bits do not rot by the hour.
SCRUB_PASS_S: Final = 24 * 3600.0
# After a start others go first; and the least pause between passes.
SCRUB_FIRST_S: Final = 60.0
SCRUB_RETRY_S: Final = 5.0
# Documents that are named; a disk that dies has more, and one would do.
SCRUB_DAMAGED_MAX: Final = 1000

# What identifies a session and its user travels in URLs, tokens and log lines.
SESSION_ID_BYTES_MAX: Final = 128
SESSION_USER_BYTES_MAX: Final = 1024
# An address and the name of a program, for a person to read.
SESSION_DETAILS_BYTES_MAX: Final = 4 * KIB
# Rows in all, those that are over among them: looking through all of them, as a revocation does,
# stays a fraction of a second.
SESSIONS_MAX: Final = 100_000
# Live ones of one user, so that nobody takes the places of all others.
SESSIONS_PER_USER_MAX: Final = 10_000
# What one commit changes: the commit of documents that comes next waits a few milliseconds.
SESSION_CHANGES_PER_COMMIT: Final = 100
# What waits for that; a disk that is slower than this many are answered later anyway.
SESSION_CHANGES_WAITING_MAX: Final = 10_000
# How often other processes' revocations are looked for: what is promised is 0.1 s.
SESSION_WATCH_S: Final = 0.04
# Revocations told at once; the next follow at once, too.
SESSION_WATCH_PAGE: Final = 1000
# A process that revokes beside the server looks this often whether it has taken note.
REVOKED_ASK_S: Final = 0.02
# A server that runs has answered by then; if not, there may be none.
REVOKED_WRITER_ASK_S: Final = 0.5
# A server whose disk is slow answers late; after this a person had better look.
REVOKED_CONFIRMED_MAX_S: Final = 10.0
# How long a session is kept after its end, so that one can see the next day who was there.
SESSION_KEPT_MS: Final = 7 * 24 * 3600 * 1000
# Refused updates that are kept, in all and of one document, so that a flood of one does not push
# out what was kept of the others; the oldest go first. A person looks at dozens, not thousands.
QUARANTINE_ENTRIES_MAX: Final = 1000
QUARANTINE_ENTRIES_PER_DOCUMENT_MAX: Final = 100
QUARANTINE_BYTES_MAX: Final = 64 * MIB
# Of a larger one hash and length are kept: writing it would hold up the commits of documents.
QUARANTINE_ENTRY_BYTES_MAX: Final = 4 * MIB
# Writes a minute for one document and in all: a flood is counted and said, not stored.
QUARANTINE_WRITES_PER_MINUTE: Final = 120
QUARANTINE_WRITES_PER_DOCUMENT_AND_MINUTE: Final = 20
# What waits to be written; beyond it a refused update is only counted. The largest fits.
QUARANTINE_WAITING_MAX: Final = 32
QUARANTINE_WAITING_BYTES_MAX: Final = UPDATE_BYTES_MAX
# A person who looks once a month finds everything.
QUARANTINE_KEPT_MS: Final = 32 * 24 * 3600 * 1000
# Characters of a reason and of what is said of a sender.
QUARANTINE_TEXT_MAX: Final = 1000
# How often what is too old is looked for, and the first time after a start.
CLEANING_S: Final = 600.0
CLEANING_FIRST_S: Final = 60.0
# Rows removed by one step of cleaning: a step takes a few milliseconds.
CLEANING_ROWS_STEP: Final = 200

# How long SQLite waits for somebody else's lock before StoreBusy.
SQLITE_BUSY_TIMEOUT_S: Final = 2.0

# Reads run beside the writer, and beside each other.
SQLITE_READERS: Final = 2

# Retries after StoreUnavailable: the first comes at once in human terms, and a disk that is full
# for an hour is asked again every few seconds.
RETRY_FIRST_S: Final = 0.05
RETRY_MAX_S: Final = 5.0
RETRY_ATTEMPTS_WHEN_CLOSING: Final = 5

# The bounds of the policy differ by up to this share from document to document.
CHECKPOINT_SPREAD: Final = 0.25
# A journal this many times beyond where a checkpoint was due is something to look at.
JOURNAL_ALARM_FACTOR: Final = 10

# Stored bytes up to which a fold takes a millisecond or two, less than sending it to a process.
FOLD_INLINE_BYTES: Final = 64 * KIB
# Rows in one message to the fold process: pickling them takes a fraction of a millisecond, in
# which nothing else runs.
FOLD_PIPE_ROWS: Final = 500
# The largest document takes a fraction of this; what takes longer hangs.
FOLD_TIMEOUT_S: Final = 300.0
# A worker process holds some 25 MB; it is ended after this long without work.
WORKER_IDLE_S: Final = 30.0
# A process whose pipes have closed is gone in a moment; its exit code says why.
WORKER_ENDING_S: Final = 1.0

# A circuit breaker opens after this many failures in a row: one may be chance, three are not.
BREAKER_FAILURES_TO_OPEN: Final = 3
# The wait until the next trial, doubled after each that fails; a person should have noticed
# within the hour.
BREAKER_COOLDOWN_FIRST_S: Final = 30.0
BREAKER_COOLDOWN_MAX_S: Final = 3600.0
# Trials of many breakers that opened together are spread over this share of the cooldown.
BREAKER_JITTER: Final = 0.25

assert FOLD_BYTES_MAX < JOURNAL_ROW_BYTES_MAX <= UPDATE_BYTES_MAX
assert FOLD_BYTES_MAX <= UPDATE_BYTES_MAX <= COMMIT_BYTES_MAX * 4
assert SNAPSHOT_CHUNK_BYTES <= SNAPSHOT_BYTES_MAX
assert UPDATE_BYTES_MAX < SNAPSHOT_BYTES_MAX
assert INLINE_BYTES_MAX <= JOURNAL_ROW_BYTES_MAX <= UPDATE_BYTES_MAX <= TRIAL_WAITING_BYTES_MAX
assert FOLD_UPDATES_MAX <= ROW_STRUCTS_MAX
assert INLINE_WORK_MAX <= ROW_STRUCTS_MAX
assert SLICE_DELETES <= DELETES_INLINE_MAX
assert TRIAL_DELETING_S < TRIAL_CPU_S
assert TRIAL_STACK_BYTES < SERVER_STACK_BYTES
assert RETRY_FIRST_S <= RETRY_MAX_S
assert SESSIONS_PER_USER_MAX < SESSIONS_MAX
assert SESSION_WATCH_S < 0.1
assert SESSION_WATCH_S < REVOKED_WRITER_ASK_S < REVOKED_CONFIRMED_MAX_S
assert QUARANTINE_ENTRY_BYTES_MAX <= QUARANTINE_WAITING_BYTES_MAX
assert QUARANTINE_ENTRY_BYTES_MAX <= QUARANTINE_BYTES_MAX
assert QUARANTINE_ENTRIES_PER_DOCUMENT_MAX < QUARANTINE_ENTRIES_MAX
