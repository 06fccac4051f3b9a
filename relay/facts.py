"""What can be known of connections, rooms, the hub and the process. Frozen records; pure.

Times are seconds of the event loop's clock, lengths bytes.
"""

from dataclasses import dataclass

from yjs_store import Distribution, Permission


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """One websocket in a room; ``lag_s`` is for how long the oldest unsent frame has waited."""

    connection_id: int
    user: str
    session_id: str
    peer: str
    permission: Permission
    joined_s: float
    queued_frames: int
    queued_bytes: int
    lag_s: float
    is_collapsed: bool
    unsaved_updates: int
    awareness_clients: int


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """One live room; ``connections`` are the first of ``connection_count``."""

    connections: tuple[ConnectionFacts, ...]
    connection_count: int
    awareness_clients: int


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """Over all connections, those that are in no room yet among them.

    ``collapses`` counts queues that became too long, since the start of the process.
    """

    by_permission: dict[Permission, int]
    queued_frames: int
    queued_bytes: int
    collapsed: int
    collapses: int
    unsaved_updates: int


@dataclass(frozen=True, slots=True)
class HubFacts:
    """The process as its hub sees it; counters begin at its start.

    ``closed`` counts closed connections by close code. ``tick_late_s`` is how late the last tick
    was.
    """

    connections: int
    rooms: int
    frames_received: int
    is_draining: bool
    closed: dict[int, int]
    broadcast_s: Distribution
    tick_late_s: float


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """``memory_bytes`` is what is resident, None where the system does not say."""

    version: str
    pid: int
    started_ms: int
    memory_bytes: int | None
    cpu_s: float
