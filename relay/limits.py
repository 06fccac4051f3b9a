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

# Percent-encoded, a name takes up to three times its bytes.
PATH_BYTES_MAX: Final = 3 * DOCUMENT_NAME_BYTES_MAX + 64

# A close frame carries at most 123 bytes of reason (RFC 6455).
CLOSE_REASON_BYTES_MAX: Final = 123

assert CONNECTION_UNSAVED_BYTES_MAX <= FRAME_BYTES_MAX
assert SIGN_OF_LIFE_S + 2 * TICK_S < AWARENESS_TIMEOUT_S
