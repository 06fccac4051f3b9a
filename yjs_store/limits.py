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
# What a sub-document may say of itself. Yjs says three things, yrs four; a number this low hardly
# ever follows a letter, so that those that have none are told quickly.
SUBDOCUMENT_OPTIONS_MAX: Final = 31
# Shared types within each other in one document. Stock Yjs deletes and prints them recursively.
TYPE_NESTING_MAX: Final = 500
# The same where all that waits comes to stand within each other: one plain letter may do that. Of
# stock Yjs, toJSON ends at 2,000.
TYPE_NESTING_POSSIBLE_MAX: Final = 1500

# Updates of one document gathered in one round become one row. `merge_updates` of many at once
# grows faster than their number, so slices of this many are merged first, then their results.
MERGE_SLICE: Final = 64

# One row of folded updates stays small enough to check, merge and send without a pause; what is
# left over goes into the next round, so that a busy document does not delay the others.
FOLD_UPDATES_MAX: Final = 2048
FOLD_BYTES_MAX: Final = 1 * MIB

# What one commit carries over all documents: bounds the time until the next one can start.
COMMIT_BYTES_MAX: Final = 16 * MIB
# Processor time in which documents are folded for one commit, in one turn of the event loop: who
# is left over waits for the next one.
COMMIT_FOLD_S: Final = 0.1

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
# Where one takes longer than this many seconds, the others are cut once more: a struct at a place
# where 8,000 clients have put theirs takes 0.6 ms.
SLICE_SLOW_S: Final = 0.02
SLOW_SLICE_STRUCTS: Final = 16
# A round is so small that the decoder needs no longer for it: everybody waits for that.
PACE_ROUND_S: Final = 0.1
# What takes longer than this, and for each struct longer than what is honest ever does, is made
# smaller; then the document rests so many times as long, and has a quarter of the loop at most.
PACE_SLOW_S: Final = 0.02
PACE_SLOW_STRUCT_S: Final = 0.000_025
PACE_REST_FACTOR: Final = 3.0
# How long rounds stay as small as they are before they are doubled, when they are quick.
PACE_DOUBLING_S: Final = 5.0
# Processor time in which a document must be built, and for each MiB of it: it is that long that
# everybody waits when it is loaded. Typing takes 0.1 s a MiB, and the largest pastes less.
BUILD_S_MIN: Final = 1.0
BUILD_S_PER_MIB: Final = 2.0
# At this share of it a checkpoint is made: of a snapshot, what stands at one place is read at once.
BUILD_FOLD_SHARE: Final = 0.5
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
# Types of updates that are looked at together: so much deeper than at the end of them it may be
# between two of them, if what comes last deletes what came first.
TRIAL_TOGETHER_TYPES_MAX: Final = 250
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
# What has no more than so much with its document is tried beside the others, in a process that ends
# when it has worked so long; then it is tried again where there is more time. So nobody who has
# little waits for what takes long: 2,000 structs in a document of 100 KB take 0.2 s.
TRIAL_QUICK_BYTES_MAX: Final = 256 * KIB
TRIAL_QUICK_CPU_S: Final = 1.0
# Who has used so much more than others is tried only where there is more time.
TRIAL_SLOW_S: Final = 3.0
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
# Processor time of the process that plans a salvage: a person waits, and it tries a document again
# without each part that fails. Then the time in which it must have ended, whatever else it does.
SALVAGE_CPU_S: Final = 60.0
SALVAGE_CPU_BYTES_PER_S: Final = MIB // 4
SALVAGE_TIMEOUT_S: Final = 3600.0
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

# A state vector above this, some 2,000 clients, is read by us once for this many updates or more,
# and not by the decoder for each: 12 ns a client against 0.6 us. Of an update above the third
# number it takes us longer to see whose it is.
LONG_STATE_BYTES: Final = 16 * KIB
LONG_STATE_UPDATES: Final = 64
LONG_STATE_UPDATE_BYTES: Final = 512

# What comes to a replica before it lets go of what is deleted; where the document is larger, as
# much as that, so that building it anew costs little beside it. It bounds what is kept of that.
KEPT_BYTES_MIN: Final = MIB

# Deleted items that a live replica lets go of at once: that takes time that grows with the square
# of their number, some 30 ms for these; and a document that it goes through for that. With more
# it is put off until this many times as much has come, which takes longer than what follows.
KEPT_ITEMS_MAX: Final = 10_000
COLLECT_BYTES_MAX: Final = 256 * KIB
KEPT_PUT_OFF: Final = 32

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
# Credentials by which one session was renewed that a revocation bars, the newest: those before have
# most likely expired, or there would have been no need for others.
SESSION_RENEWALS_MAX: Final = 8
# Rows that one revocation adds for them, in the transaction that all others wait for.
SESSION_BARS_MAX: Final = 10_000
# Rows in all, those that are over among them: looking through all of them, as a revocation does,
# stays a fraction of a second.
SESSIONS_MAX: Final = 100_000
# Live ones of one user, so that nobody takes the places of all others.
SESSIONS_PER_USER_MAX: Final = 10_000
# In a table that is half full nobody gets another who has this part of what is free: a hundred
# users who ask for all they get have 909 each, and so many are left for each who comes.
SESSIONS_FREE_SHARE: Final = 10
# How old the number of live ones may be by which that is reckoned: a reading thread takes some
# 15 ms to count 100,000.
SESSIONS_COUNTED_MS: Final = 2000
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

# What is kept for operators: attempts at checkpoints and events of one document; a page of each.
CHECKPOINTS_KEPT_PER_DOCUMENT: Final = 50
TRACES_KEPT_PER_DOCUMENT: Final = 200
# And of all documents together, at some 300 bytes each: a store of many small documents must not
# become mostly that. Of acts, which are rare, years.
CHECKPOINTS_KEPT_MAX: Final = 500_000
TRACES_KEPT_MAX: Final = 200_000
ACTS_KEPT_MAX: Final = 100_000
# Those above are removed in steps, with what comes new; more than one, so that it ends.
KEPT_REMOVED_STEP: Final = 16
# Characters of an error, a reason, a name of somebody in such a record.
NOTE_TEXT_MAX: Final = 1000
# Particulars of an act, as JSON; of larger ones only this length is kept.
ACT_FACTS_BYTES_MAX: Final = 16 * KIB
# A trace's particulars: how many, and characters of each.
TRACE_FACTS_MAX: Final = 16
TRACE_TEXT_MAX: Final = 200
# Events of one document: so many at once, then so many a second; a flood is counted, not kept.
TRACE_BURST: Final = 50
TRACES_PER_S: Final = 1.0
# Documents whose events wait to be stored, and all their events: some megabytes at most.
TRACE_DOCUMENTS_MAX: Final = 1000
TRACES_WAITING_MAX: Final = 10_000
# Traces are stored this often, of so many documents at a time: 2 ms on the writer's thread. Those
# of the rest follow at once, one such step after the other.
TRACES_FLUSH_S: Final = 5.0
TRACES_FLUSH_DOCUMENTS: Final = 100
# Failed attempts at checkpoints that wait to be stored with them; each cost more than its record.
CHECKPOINTS_WAITING_MAX: Final = 1000
# What is found of the content of a document up to this size, when a client asks, is found anew
# so often: it takes a millisecond. Of larger ones it is known since the last checkpoint.
CONTENT_INLINE_BYTES: Final = 64 * KIB
CONTENT_FOUND_MS: Final = 1000
# Writes of a document are counted in windows of this length, of which so many are shown.
WRITE_WINDOW_MS: Final = 10_000
WRITE_WINDOWS: Final = 30
# Documents that are counted; those written longest ago go first. Some 400 bytes each.
WRITE_RATE_DOCUMENTS_MAX: Final = 10_000
# Vacuum writes the whole store once beside it and once into the WAL; and this part of the disk's
# free room is left to others meanwhile.
VACUUM_FILES: Final = 2
VACUUM_FREE_PERCENT: Final = 10

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
# It is ended after the job with which it has been given this much: of a document of 600 KB with a
# document within it yrs keeps 29 MB each time, and a trial has little more than 512 MiB. Starting
# another takes a fifth of a second.
WORKER_BYTES_MAX: Final = 4 * MIB
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
assert TYPE_NESTING_MAX <= TYPE_NESTING_POSSIBLE_MAX
assert TYPE_NESTING_POSSIBLE_MAX + TRIAL_TOGETHER_TYPES_MAX < 2000
assert SLOW_SLICE_STRUCTS < SLICE_STRUCTS
assert SLICE_DELETES <= DELETES_INLINE_MAX
assert PACE_SLOW_S < PACE_ROUND_S
assert ROW_STRUCTS_MAX * PACE_SLOW_STRUCT_S < PACE_ROUND_S
assert BUILD_S_MIN < TRIAL_CPU_S
assert TRIAL_DELETING_S < TRIAL_CPU_S
assert TRIAL_QUICK_CPU_S < TRIAL_SLOW_S < TRIAL_CPU_S
assert TRIAL_QUICK_BYTES_MAX <= TRIAL_BYTES_MAX
assert TRIAL_STACK_BYTES < SERVER_STACK_BYTES
assert RETRY_FIRST_S <= RETRY_MAX_S
assert SESSIONS_PER_USER_MAX < SESSIONS_MAX
assert SESSION_WATCH_S < 0.1
assert SESSION_WATCH_S < REVOKED_WRITER_ASK_S < REVOKED_CONFIRMED_MAX_S
assert QUARANTINE_ENTRY_BYTES_MAX <= QUARANTINE_WAITING_BYTES_MAX
assert QUARANTINE_ENTRY_BYTES_MAX <= QUARANTINE_BYTES_MAX
assert QUARANTINE_ENTRIES_PER_DOCUMENT_MAX < QUARANTINE_ENTRIES_MAX
assert KEPT_REMOVED_STEP > 1
assert TRACE_BURST <= TRACES_KEPT_PER_DOCUMENT <= TRACES_WAITING_MAX <= TRACES_KEPT_MAX
