"""Every bound of the relay, each with its reason."""

from typing import Final

from yjs_store.limits import DOCUMENT_NAME_BYTES_MAX, UPDATE_BYTES_MAX, UPDATE_CLIENTS_MAX

KIB: Final = 1024
MIB: Final = 1024 * KIB

# The largest update in one Sync message, and room for its type and length.
FRAME_BYTES_MAX: Final = UPDATE_BYTES_MAX + 64

# How long the rest of a larger message is read and thrown away, so that its sender, who is still
# sending, gets to read the close frame; stock clients give up after as long.
REFUSED_FRAME_DISCARD_S: Final = 30.0

# What is parsed of a socket's bytes at a time. A read can bring 256 KiB, and so 40,000 frames of
# nothing: parsed at once they would take 50 times that memory, and 0.2 s of everybody's time.
PARSE_BYTES_MAX: Final = 4 * KIB
# Messages that are looked through after a close for the client's answer to it: more than anybody
# has under way who waits for receipts, in some milliseconds.
MESSAGES_AFTER_CLOSE_MAX: Final = 1000
# In the middle of a larger frame, which is not finished faster in larger pieces.
PARSE_LARGE_BYTES_MAX: Final = 16 * KIB
# A message of ordinary size never waits for others; each connection may hold one that is not whole.
ORDINARY_MESSAGE_BYTES: Final = 64 * KIB
# What all connections together hold of larger messages that are not whole or not stored yet.
# Freed pieces of it stay with the allocator for a while: the process may take twice as much.
INCOMING_BYTES_MAX: Final = 128 * MIB
# What an update on its way to the disk takes beside its bytes.
SUBMISSION_BYTES: Final = 256
# Connections that wait for their turn with such a message hold up to one read (256 KiB) meanwhile.
INCOMING_WAITING_MAX: Final = 256
# A message that has begun goes on at least this fast, over each window of that many seconds: slow
# enough for any line (64 MiB in 18 h), too fast for a byte a second. While others wait for memory,
# who holds it goes at the second rate.
MESSAGE_LEAST_BYTES_PER_S: Final = 1 * KIB
MESSAGE_CONTENDED_BYTES_PER_S: Final = 256 * KIB
MESSAGE_WINDOW_S: Final = 20.0
# Windows that one waits for memory with what it has; then it is sent away, and comes again.
MESSAGE_WINDOWS_WAITED_MAX: Final = 3
# Browsers cut a large message into fragments of some 64 KiB; each costs memory of its own.
MESSAGE_FRAGMENTS_MAX: Final = 16 * KIB
# Fragments below this count as frames that carry nothing.
SMALL_FRAGMENT_BYTES: Final = 1 * KIB
# Pings, pongs and small fragments: each costs 5 us and brings nothing. Then the socket rests.
IDLE_FRAMES_PER_S: Final = 20.0
IDLE_FRAMES_BURST: Final = 100.0
# A large message goes out in fragments, so that a slow reader's copy of it is not in the socket.
SEND_FRAGMENT_BYTES: Final = 256 * KIB

# How long a socket that is closed may take to have what is left: then it is cut. Longer than the
# 10 s in which a client may answer a close frame.
LINGER_S: Final = 15.0

# A numbered message has at least two bytes, so a frame could hold millions; clients send a few.
MESSAGES_PER_FRAME_MAX: Final = 1000

# What one connection may have under way to the disk before it is read no further. Small, so that
# one flat-out writer is at most this far ahead of the others in its document; large enough that a
# commit of some 0.3 ms is always full.
CONNECTION_UNSAVED_UPDATES_MAX: Final = 256
CONNECTION_UNSAVED_BYTES_MAX: Final = 1 * MIB

# What may be asked of the server that brings no content: awareness, questions, empty updates. A
# cursor that follows the mouse moves 60 times a second. More makes the server rest with reading.
# A message costs some 20 us, so a hundred flooding clients have a fifth of the time.
ASKED_PER_S: Final = 100.0
ASKED_BURST: Final = 200.0
# What an awareness message or an answer costs beside 1, for each byte.
ASKED_PER_AWARENESS_BYTE: Final = 1 / KIB
# For each value in a state that is parsed, and each client: up to 0.4 us. A cursor has some 30.
ASKED_PER_AWARENESS_VALUE: Final = 1 / 64
ASKED_PER_ANSWER_BYTE: Final = 1 / (16 * KIB)
# And a state vector, which may have to be parsed in Python: a document of 30,000 clients is asked
# for and edited at once, the largest vector is for once in three seconds.
ASKED_PER_STATE_BYTE: Final = 1 / (4 * KIB)
# No single answer costs more, nor what is passed over in an awareness message: whoever opens a
# large document, or enters a crowd and sends on what it hears of it, may edit at once. What has to
# be parsed, which takes longer, costs in full.
ASKED_PER_ANSWER_MAX: Final = 0.75 * ASKED_BURST

# What a client may say it has: as many clients as one update may have, each with an id of 53 bits
# and a clock of 31; parsing it takes up to a quarter of a second. It may say so much beside what
# the document has.
STATE_VECTOR_CLIENTS_MAX: Final = UPDATE_CLIENTS_MAX
STATE_VECTOR_BYTES_MAX: Final = 13 * STATE_VECTOR_CLIENTS_MAX + 3

# What waits for a slow reader before its queue is collapsed to one resync diff.
OUTBOX_BYTES_MAX: Final = 4 * MIB
OUTBOX_FRAMES_MAX: Final = 1000

# A reader that takes less than this for this long is closed; it can come back and sync.
OUTBOX_STALLED_S: Final = 60.0
OUTBOX_LEAST_BYTES_PER_S: Final = 1 * KIB
# How long who is to be closed may take to have what was under way to him, before he is cut.
CLOSING_S: Final = 5.0
# Answers with much of a document in them, over all connections, that wait to be read. Further
# ones are made when there is room: whoever asks and does not read makes others wait, no more.
ANSWERS_BYTES_MAX: Final = 256 * MIB
# The share of the time that goes into making them, what of it can be saved up, and what an answer
# takes that is none: 500 clients that open a document of 1 MB at once wait for nothing, and one of
# 100,000 structs that a hundred clients ask for without end leaves half of the time to others.
ANSWERS_SHARE: Final = 0.5
ANSWERS_BURST_S: Final = 0.25
QUICK_ANSWER_S: Final = 0.002

# States that one connection brings; what is more is not shown. A cursor, a name and a colour take
# some 200 bytes, and there is one for its own client, more only for bridges.
AWARENESS_CLIENTS_PER_CONNECTION_MAX: Final = 1000
AWARENESS_BYTES_PER_CONNECTION_MAX: Final = 256 * KIB
# States and bytes of one room: everybody who enters it is sent them all.
AWARENESS_CLIENTS_PER_ROOM_MAX: Final = 5000
AWARENESS_BYTES_PER_ROOM_MAX: Final = 1 * MIB
# The awareness messages of one frame, together; only what may be news in them is parsed, and no
# more of it than one connection may show. Stock clients send on whatever they hear of others, so
# all of a room, with its ids and clocks, and their own: nobody may be closed for what others
# announced. They write it as JavaScript does: 1e20 in 21 characters, so up to 4.4 times as long.
AWARENESS_CLIENTS_PER_MESSAGE_MAX: Final = 2 * AWARENESS_CLIENTS_PER_ROOM_MAX
AWARENESS_BYTES_PER_MESSAGE_MAX: Final = 6 * AWARENESS_BYTES_PER_ROOM_MAX
# Awareness goes to everybody, so n cursors cost n*n. The next news of a room wait, and are joined,
# until what the last cost was earned again by the room's share of the time: 8 us a reader, and a
# microsecond for each KiB to each.
AWARENESS_SEND_S: Final = 8e-6
AWARENESS_SEND_S_PER_BYTE: Final = 1e-9
AWARENESS_SHARE: Final = 0.2
# What a quiet room saves up: a few readers' news are never held back.
AWARENESS_BURST_S: Final = 0.1
# Clocks that are kept after a removal, per room, oldest forgotten first.
AWARENESS_CLOCKS_MAX: Final = 10_000
# Ids of clients whose news wait for a reader or for their turn, before those that the room has
# forgotten are dropped; twice what it remembers, so that looking through them is rare.
AWARENESS_LEFT_OUT_MAX: Final = 2 * AWARENESS_CLOCKS_MAX
# A client takes over whatever clock it hears with its own id, and goes on from there, so nobody may
# push it to where clocks end: yrs counts them in 32 bits. What is beyond is not shown. A client
# that is new begins in the lower half: a mouse that moves for half a year.
AWARENESS_CLOCK_MAX: Final = 2**31 - 1
AWARENESS_FIRST_CLOCK_MAX: Final = 2**30
# From there a clock goes on no faster than this, whoever says so: a mouse makes 60 a second. Who
# pushes it needs 12 days for the upper half, as long as the room remembers where it began.
AWARENESS_CLOCKS_PER_S: Final = 1000
# What it may be ahead of that; and of a state that another connection shows: who comes back before
# the old connection is found dead has moved a mouse for a minute.
AWARENESS_CLOCKS_AHEAD: Final = 10_000
# y-protocols: clients renew every 15 s, and a state that is not renewed for 30 s is gone.
AWARENESS_TIMEOUT_S: Final = 30.0

# Stock clients close a socket on which nothing came for 30 s (45 s in older versions); pings do
# not count. Half of it leaves room for a timer that is late.
SIGN_OF_LIFE_S: Final = 14.0
# How often the timers above are looked at.
TICK_S: Final = 2.0

# An empty room stays loaded for a while: reloading a page is the most common way to leave.
ROOM_GRACE_S: Final = 30.0

# Storage that fails for this long has its clients closed, so that their users learn of it.
STORAGE_FAILING_CLOSE_S: Final = 30.0

# While draining: stop reading when nothing came for this long, or after the second bound.
DRAIN_QUIET_S: Final = 0.2
DRAIN_READING_MAX_S: Final = 2.0
# How long a drain waits for the disk, then for the sockets, before it gives up aloud.
DRAIN_STORING_MAX_S: Final = 30.0
DRAIN_SENDING_MAX_S: Final = 5.0

# A credential: signed tokens with many claims take some 2 KiB. It has to fit into one line of a
# handshake, which may have 8 KiB.
CREDENTIAL_BYTES_MAX: Final = 4 * KIB
# What stands behind the ? of a websocket's address; clients send three or four.
QUERY_FIELDS_MAX: Final = 50
# A user's name: it stands in logs, session rows and lists.
USER_BYTES_MAX: Final = 256
# A client's program, as it calls itself, kept for a person to read.
AGENT_CHARACTERS_MAX: Final = 200
# Names and prefixes of one credential: each admission looks through the prefixes.
SCOPE_RULES_MAX: Final = 1000
# Static tokens: each admission compares with all of them (1 ms); more are a case for `jwt`.
STATIC_TOKENS_MAX: Final = 10_000
# A token that is shorter can be guessed; `yjs-relay token new` makes 64.
STATIC_TOKEN_CHARACTERS_MIN: Final = 16
# Files of tokens and keys; read in one go, in the event loop.
AUTH_FILE_BYTES_MAX: Final = 4 * MIB
JWT_KEYS_MAX: Final = 100
# How far the clock of who signs may be off.
JWT_LEEWAY_S: Final = 10

# How long a hook may take, all in all; a person waits for a document to open.
HOOK_TIMEOUT_S: Final = 5.0
# Questions to a hook that are under way at once, and that wait for that; beyond, nobody is let in.
HOOK_CONCURRENT_MAX: Final = 32
HOOK_WAITING_MAX: Final = 1000
# A hook that fails now and then is told of at most this often, a line when it begins and a line
# when it is over, whoever asks it however much.
HOOK_OUTAGE_LEAST_S: Final = 10.0
# user, permission and ttl_s take some 100 bytes.
HOOK_ANSWER_BYTES_MAX: Final = 16 * KIB
# A year: beyond it is a mistake, milliseconds for seconds say.
HOOK_TTL_S_MAX: Final = 366 * 24 * 3600

# What strangers of one network may ask of who decides, at once and waiting, and how long one waits:
# an office that comes back after a restart has its turn, and two networks that flood leave a hook
# the places by which sessions go on.
ASKING_PER_NETWORK_MAX: Final = 8
ASKING_WAITING_PER_NETWORK_MAX: Final = 500
ASKING_WAIT_S: Final = 10.0
# Refusals for one network before no more is asked for it: people mistype, and all tokens of an
# office may end at once; who guesses has 2 in a second.
REFUSALS_BURST: Final = 200.0
REFUSALS_PER_S: Final = 2.0
# How long a refusal counts without being asked for again: a person who is let in a moment later
# waits no longer than that.
REFUSAL_KEPT_S: Final = 5.0
# What is remembered for this, the newest of it: some 300 bytes each.
REFUSALS_REMEMBERED_MAX: Final = 10_000
NETWORKS_REMEMBERED_MAX: Final = 10_000
GRANTED_REMEMBERED_MAX: Final = 10_000

# How long a session is good for before it is asked about again; shorter where the credential is.
SESSION_TTL_S: Final = 3600.0
# How long a ticket may be used to connect: a moment would do, were there no slow networks.
TICKET_TTL_S: Final = 300.0
# How long before its end a session is asked about: longer than a hook may take, so that the answer
# is there in time.
ASK_AGAIN_AHEAD_S: Final = 15.0
# Sessions that are asked about at once; new clients have the hook's other places.
ASK_AGAIN_CONCURRENT_MAX: Final = 16
# Credentials behind tickets that are remembered, for asking again. A session whose credential was
# forgotten ends at its expiry, unless its client renews it.
TICKET_CREDENTIALS_MAX: Final = 4096

# What one answer of an admin route lists.
ADMIN_PAGE_MAX: Final = 1000
# Why an act is done: a sentence or two; its body may have every character of that escaped.
ACT_REASON_MAX: Final = 500
ACT_BODY_BYTES_MAX: Final = 8 * KIB
# Of a list among the facts of an act, and of each text in it: the record of an act holds 16 KiB.
ACT_FACTS_LISTED_MAX: Final = 20
ACT_FACTS_TEXT_MAX: Final = 200
# For how long an operator's unloading waits for what is unsaved, while storage fails say.
UNLOAD_S: Final = 10.0
# Documents that one request compacts: whoever wants more asks again, and sees how far it is.
COMPACTED_AT_ONCE_MAX: Final = 1000

# How often a broadcast of a room is followed to its sockets, to know how long that takes.
BROADCAST_MEASURED_S: Final = 0.01
# How old an answer of the debug endpoint may be: everybody who asks meanwhile shares it.
DEBUG_SHARED_S: Final = 0.25
# What of the time goes into making them: of the store as a whole, its metrics among it, and of
# documents. Each has a share of its own, so whoever looks at many documents keeps nobody from
# seeing how the store is.
DEBUG_SHARE: Final = 0.01
DEBUG_STORE_SHARE: Final = 0.005
DEBUG_DOCUMENTS_SHARE: Final = 0.005
# What of each share may be saved up. While that is spent, the last answer is given again up to the
# second age; then whoever asks waits for their turn, and nobody else.
DEBUG_BURST_S: Final = 0.05
DEBUG_STALE_S: Final = 2.0
# What reading for one answer is taken to cost at least, in the reader's thread and on the way
# there. An answer takes 0.4 to 2 ms in all, so this is on the safe side: some two a second of each
# kind are made for those who poll, and twenty at once for a person.
DEBUG_READING_S: Final = 0.0025
# And at most: a lock or a busy event loop that is waited for is no work, and to rest a hundred
# times as long would make metrics come too late just when they are needed.
DEBUG_READING_CHARGED_S_MAX: Final = 0.01
# Different answers that are kept, and that are under way: each waits for the reader or its turn.
DEBUG_ANSWERS_MAX: Final = 256
DEBUG_WAITING_MAX: Final = 64
# Documents in one answer, and connections in a document's: more is nothing to look at.
DEBUG_PAGE: Final = 100
DEBUG_PAGE_MAX: Final = 500
DEBUG_CONNECTIONS_MAX: Final = 500
# Those who watch a stream. Each is told at most once in so long, and again after the second
# time although nothing has changed: ages and uptimes go on.
STREAM_CLIENTS_MAX: Final = 32
STREAM_PACE_S: Final = 1.0
STREAM_QUIET_S: Final = 10.0
# Who may watch is asked again after the first at first, and at last after so long, while nobody
# decides.
STREAM_UNDECIDED_S: Final = 5.0
# How long a watcher may take to read one event.
STREAM_STALLED_S: Final = 10.0
# For how long a credential that may look is not judged again; ticks take as long.
OBSERVER_REMEMBERED_S: Final = 2.0
OBSERVERS_REMEMBERED_MAX: Final = 256
# Rates are over this long, or since the last look; over less they say nothing.
RATE_WINDOW_S: Final = 10.0
RATE_WINDOW_LEAST_S: Final = 0.5

# Connections of the process and of one address. A connection at rest takes some 50 KB; an office
# behind one address, or a proxy that is not told of by --trusted-proxies, has many.
CONNECTIONS_MAX: Final = 10_000
CONNECTIONS_PER_ADDRESS_MAX: Final = 2_000
# Sockets beyond those, for who is told that there are too many, and for health checks.
SOCKETS_SPARE: Final = 200
# Files that the process needs beside its sockets.
FILES_SPARE: Final = 100
# Documents in memory at a time; those nobody is in go first.
DOCUMENTS_MAX: Final = 10_000

# Spans of commits; there are thousands of them in a second, each like the others, and a span costs
# some 30 µs. What is passed over is counted.
OTEL_COMMITS_PER_S: Final = 20
# How long the end of the server waits for a collector to take the last traces.
OTEL_CLOSING_S: Final = 3.0

# A request, its head and its body, is whole after this time and within these bounds.
REQUEST_S: Final = 10.0
REQUEST_HEAD_BYTES_MAX: Final = 32 * KIB
# Path and query; with the rest of its line it is within the 8 KiB that websockets takes.
REQUEST_URL_BYTES_MAX: Final = 8000
REQUEST_BODY_BYTES_MAX: Final = 64 * KIB
# Requests that wait for the answer to the one before; browsers send none.
PIPELINED_REQUESTS_MAX: Final = 16
# What is read and thrown away of a body that was refused, so that its sender gets to read why.
REFUSED_BODY_BYTES: Final = 1 * MIB
# How long a command waits until a server has stored what it was sent: a large update is tried
# first, and of one that may not be written its sender is not told. It looks this often meanwhile.
STORED_WITHIN_S: Final = 60.0
STORED_LOOK_S: Final = 0.1
# A response of which nothing is read for this long is not waited for.
RESPONSE_STALLED_S: Final = 30.0

# Percent-encoded, a name takes up to three times its bytes.
PATH_BYTES_MAX: Final = 3 * DOCUMENT_NAME_BYTES_MAX + 64

# A close frame carries at most 123 bytes of reason (RFC 6455).
CLOSE_REASON_BYTES_MAX: Final = 123

assert CONNECTION_UNSAVED_BYTES_MAX <= FRAME_BYTES_MAX
assert (
    AWARENESS_CLIENTS_PER_ROOM_MAX + AWARENESS_CLIENTS_PER_CONNECTION_MAX
    <= AWARENESS_CLIENTS_PER_MESSAGE_MAX
)
# A watcher hears as often as ever, though a hook is waited for each time.
assert STREAM_UNDECIDED_S + HOOK_TIMEOUT_S <= STREAM_QUIET_S
assert AWARENESS_CLIENTS_PER_ROOM_MAX <= AWARENESS_CLOCKS_MAX < AWARENESS_LEFT_OUT_MAX
assert AWARENESS_FIRST_CLOCK_MAX + AWARENESS_CLOCKS_AHEAD < AWARENESS_CLOCK_MAX
assert HOOK_TIMEOUT_S + 2 * TICK_S < ASK_AGAIN_AHEAD_S
assert ASK_AGAIN_CONCURRENT_MAX + 2 * ASKING_PER_NETWORK_MAX <= HOOK_CONCURRENT_MAX
assert ASKING_PER_NETWORK_MAX < ASKING_WAITING_PER_NETWORK_MAX < HOOK_WAITING_MAX
assert TICKET_TTL_S <= SESSION_TTL_S
# A character outside the BMP is escaped with 12.
assert 12 * ACT_REASON_MAX + 100 <= ACT_BODY_BYTES_MAX <= REQUEST_BODY_BYTES_MAX
assert DEBUG_STORE_SHARE + DEBUG_DOCUMENTS_SHARE <= DEBUG_SHARE
# After the reading for one answer, the next of its kind waits no longer than an old one may be
# given: a scrape in the middle of other looks at the store is answered within its usual 10 s.
assert DEBUG_READING_CHARGED_S_MAX / DEBUG_STORE_SHARE <= DEBUG_STALE_S
assert SIGN_OF_LIFE_S + 2 * TICK_S < AWARENESS_TIMEOUT_S
