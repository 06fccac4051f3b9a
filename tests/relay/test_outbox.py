"""What waits for one reader: bounded, and never silently lossy (P6, field notes 20 and 30)."""

from dataclasses import dataclass, field

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_support import Doc, document_of, text_of

from relay import outbox as outbox_module
from relay.limits import AWARENESS_LEFT_OUT_MAX, OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX
from relay.outbox import Outbox


def never() -> bytes:
    raise AssertionError("the state vector is asked for when the queue collapses, and only then")


def never_asked(client: int) -> bool:
    raise AssertionError("what is remembered is asked for when there are too many, and only then")


def popped(outbox: Outbox) -> list[bytes]:
    frames = []
    while (frame := outbox.pop()) is not None:
        frames.append(frame)
    return frames


def test_frames_come_out_in_the_order_they_went_in() -> None:
    outbox = Outbox()
    assert outbox.pop() is None
    outbox.push(b"1", 0.0)
    outbox.push_update(b"2", never, 0.0)
    outbox.push_awareness(b"3", 0.0)
    outbox.push(b"4", 0.0)
    assert len(outbox) == 4
    assert popped(outbox) == [b"1", b"2", b"3", b"4"]
    assert len(outbox) == 0
    assert outbox.take_resync() == (None, frozenset())


def test_the_queue_collapses_at_the_bound_of_frames() -> None:
    outbox = Outbox()
    for number in range(OUTBOX_FRAMES_MAX - 1):
        outbox.push_update(b"%d" % number, never, 0.0)
    assert not outbox.is_full
    outbox.push_update(b"last", lambda: b"state with last", 0.0)
    assert outbox.is_full
    assert outbox.collapses == 1
    for _ in range(10):
        outbox.push_update(b"left out", never, 0.0)
    assert len(outbox) == OUTBOX_FRAMES_MAX
    assert popped(outbox)[-1] == b"last"
    assert outbox.take_resync() == (b"state with last", frozenset())


def test_the_queue_collapses_at_the_bound_of_bytes() -> None:
    outbox = Outbox()
    outbox.push_update(bytes(OUTBOX_BYTES_MAX - 1), never, 0.0)
    assert not outbox.is_full
    outbox.push_update(b"x", lambda: b"state", 0.0)
    assert outbox.is_full
    outbox.push_update(bytes(OUTBOX_BYTES_MAX), never, 0.0)
    assert len(outbox) == 2
    assert outbox.collapses == 1


def test_once_collapsed_updates_are_left_out_until_the_resync_is_taken() -> None:
    """Between what was queued and a later update there would be a gap."""
    outbox = Outbox()
    outbox.push_update(bytes(OUTBOX_BYTES_MAX), lambda: b"state", 0.0)
    assert outbox.pop() is not None
    assert not outbox.is_full
    outbox.push_update(b"left out", never, 0.0)
    assert outbox.pop() is None
    assert outbox.take_resync() == (b"state", frozenset())
    assert outbox.take_resync() == (None, frozenset())
    outbox.push_update(b"again", never, 0.0)
    assert popped(outbox) == [b"again"]


def test_replies_still_fit_when_the_queue_is_full() -> None:
    outbox = Outbox()
    outbox.push_update(bytes(OUTBOX_BYTES_MAX), lambda: b"state", 0.0)
    outbox.push(b"reply", 0.0)
    assert popped(outbox)[-1] == b"reply"


def test_a_queue_that_replies_have_filled_collapses_at_the_next_update() -> None:
    outbox = Outbox()
    outbox.push(bytes(OUTBOX_BYTES_MAX), 0.0)
    outbox.push_update(b"one", lambda: b"state with one", 0.0)
    outbox.push_update(b"two", never, 0.0)
    assert popped(outbox)[1:] == [b"one"]
    assert outbox.take_resync() == (b"state with one", frozenset())


def test_awareness_is_left_out_of_a_full_or_collapsed_queue_and_noted() -> None:
    outbox = Outbox()
    outbox.push(bytes(OUTBOX_BYTES_MAX), 0.0)
    assert not outbox.push_awareness(b"news", 0.0)
    outbox.leave_out_awareness([1, 2], never_asked)
    outbox.leave_out_awareness([2, 3], never_asked)
    assert len(outbox) == 1
    assert outbox.needs_resync
    assert outbox.take_resync() == (None, {1, 2, 3})
    assert outbox.take_resync() == (None, frozenset())

    outbox.clear()
    outbox.push_update(bytes(OUTBOX_BYTES_MAX), lambda: b"state", 0.0)
    outbox.pop()
    assert not outbox.push_awareness(b"news", 0.0)
    assert len(outbox) == 0
    assert outbox.take_resync() == (b"state", frozenset())


def test_one_awareness_message_is_queued_however_often_a_cursor_moves() -> None:
    outbox = Outbox()
    assert outbox.push_awareness(b"first", 0.0)
    for _ in range(100):
        assert not outbox.push_awareness(b"moved", 0.0)
        outbox.leave_out_awareness([1], never_asked)
    outbox.push(b"reply", 0.0)
    assert popped(outbox) == [b"first", b"reply"]
    # What comes now must not overtake what was left out.
    assert not outbox.push_awareness(b"moved", 0.0)
    assert outbox.take_resync() == (None, {1})
    assert outbox.push_awareness(b"later", 0.0)
    assert outbox.pop() == b"later"
    assert outbox.push_awareness(b"last", 0.0)


def test_of_too_many_clients_only_those_are_left_to_later_that_the_room_remembers() -> None:
    """P6: clients that come and go would fill the queue of who does not read."""
    outbox, most = Outbox(), AWARENESS_LEFT_OUT_MAX
    outbox.leave_out_awareness(range(most), never_asked)
    outbox.leave_out_awareness([most], lambda client: client % 1000 == 0)
    assert outbox.take_resync() == (None, set(range(0, most + 1, 1000)))


def test_clear_drops_everything() -> None:
    outbox = Outbox()
    outbox.push_update(bytes(OUTBOX_BYTES_MAX), lambda: b"state", 0.0)
    outbox.leave_out_awareness([1], never_asked)
    outbox.clear()
    assert not outbox.is_full
    assert outbox.pop() is None
    assert outbox.take_resync() == (None, frozenset())


# ---- against a model: a reader of any slowness ends with the document --------------------------


@dataclass
class Reader:
    """A document on the server, and a client that reads from an outbox when it pleases."""

    server: Doc = field(default_factory=lambda: pycrdt.Doc(client_id=1))
    client: Doc = field(default_factory=pycrdt.Doc)
    outbox: Outbox = field(default_factory=Outbox)

    def __post_init__(self) -> None:
        self.text = self.server.get("text", type=pycrdt.Text)

    def write(self, letters: str) -> None:
        self._send(lambda: self.text.insert(len(self.text) // 2, letters))

    def delete(self, start: int) -> None:
        if start < len(self.text):
            self._send(lambda: self.text.__delitem__(slice(start, start + 1)))

    def _send(self, edit: object) -> None:
        made: list[bytes] = []
        watching = self.server.observe(lambda event: made.append(event.update))
        edit()
        self.server.unobserve(watching)
        for update in made:
            self.outbox.push_update(update, self.server.get_state, 0.0)

    def read(self, count: int) -> None:
        """Read frames; then do as the writing task does when the queue is empty."""
        for _ in range(count):
            frame = self.outbox.pop()
            if frame is None:
                state_vector, _ = self.outbox.take_resync()
                if state_vector is None:
                    return
                frame = self.server.get_update(state_vector)
            self.client.apply_update(frame)


steps = st.one_of(
    st.tuples(st.just("write"), st.text("abc", min_size=1, max_size=30)),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("read"), st.integers(1, 6)),
)


@given(st.lists(steps, max_size=60), st.integers(1, 6), st.integers(40, 200))
def test_a_reader_of_any_slowness_ends_with_the_document(
    course: list[tuple], frames_max: int, bytes_max: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox_module, "OUTBOX_FRAMES_MAX", frames_max)
        patch.setattr(outbox_module, "OUTBOX_BYTES_MAX", bytes_max)
        reader = Reader()
        for step in course:
            match step:
                case ("write", letters):
                    reader.write(letters)
                case ("delete", start):
                    reader.delete(start)
                case ("read", count):
                    reader.read(count)
            assert len(reader.outbox) <= frames_max
        reader.read(1000)
    assert str(reader.client.get("text", type=pycrdt.Text)) == str(reader.text)
    assert reader.client.get_state() == reader.server.get_state()
    # The deletions too, which no state vector shows.
    everything = reader.client.get_update()
    assert text_of(everything) == str(reader.text)
    assert (
        document_of(everything).get_update() == document_of(reader.server.get_update()).get_update()
    )
