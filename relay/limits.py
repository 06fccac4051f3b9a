"""Every bound of the relay, each with its reason."""

from typing import Final

from yjs_store.limits import DOCUMENT_NAME_BYTES_MAX, UPDATE_BYTES_MAX

KIB: Final = 1024
MIB: Final = 1024 * KIB

# The largest update in one Sync message, and room for its type and length.
FRAME_BYTES_MAX: Final = UPDATE_BYTES_MAX + 64

# How long the rest of a larger message is read and thrown away, so that its sender, who is still
# sending, gets to read the close frame; stock clients give up after as long.
REFUSED_FRAME_DISCARD_S: Final = 30.0

# A numbered message has at least two bytes, so a frame could hold millions; clients send a few.
MESSAGES_PER_FRAME_MAX: Final = 1000

# What one connection may have under way to the disk before it is read no further. Small, so that
# one flat-out writer is at most this far ahead of the others in its document; large enough that a
# commit of some 0.3 ms is always full.
CONNECTION_UNSAVED_UPDATES_MAX: Final = 256
CONNECTION_UNSAVED_BYTES_MAX: Final = 1 * MIB

# What waits for a slow reader before its queue is collapsed to one resync diff.
OUTBOX_BYTES_MAX: Final = 4 * MIB
OUTBOX_FRAMES_MAX: Final = 1000

# A reader that takes nothing at all for this long is closed; it can come back and sync.
OUTBOX_STALLED_S: Final = 60.0

# One awareness update; a cursor, a name and a colour take some 200 bytes.
AWARENESS_BYTES_MAX: Final = 256 * KIB
# States one connection may announce: one for its own client, more only for bridges.
AWARENESS_CLIENTS_PER_CONNECTION_MAX: Final = 1000
# Clocks that are kept after a removal, per room, oldest forgotten first.
AWARENESS_CLOCKS_MAX: Final = 10_000
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
# user, permission and ttl_s take some 100 bytes.
HOOK_ANSWER_BYTES_MAX: Final = 16 * KIB
# A year: beyond it is a mistake, milliseconds for seconds say.
HOOK_TTL_S_MAX: Final = 366 * 24 * 3600

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

# Percent-encoded, a name takes up to three times its bytes.
PATH_BYTES_MAX: Final = 3 * DOCUMENT_NAME_BYTES_MAX + 64

# A close frame carries at most 123 bytes of reason (RFC 6455).
CLOSE_REASON_BYTES_MAX: Final = 123

assert CONNECTION_UNSAVED_BYTES_MAX <= FRAME_BYTES_MAX
assert HOOK_TIMEOUT_S + 2 * TICK_S < ASK_AGAIN_AHEAD_S
assert ASK_AGAIN_CONCURRENT_MAX < HOOK_CONCURRENT_MAX
assert TICKET_TTL_S <= SESSION_TTL_S
assert SIGN_OF_LIFE_S + 2 * TICK_S < AWARENESS_TIMEOUT_S
