"""What is held of messages that are not whole: large ones take turns, and somebody always can."""

from relay.incoming import IncomingBytes


class Holder:
    def __init__(self) -> None:
        self.turns = 0

    def resume(self) -> None:
        self.turns += 1


def test_whoever_goes_beyond_the_bound_waits_until_there_is_room() -> None:
    incoming = IncomingBytes(bytes_max=100)
    first, second, third = Holder(), Holder(), Holder()
    assert incoming.grow(first, 60)
    assert not incoming.grow(second, 50)
    assert not incoming.grow(third, 50)
    assert incoming.is_contended
    incoming.done(first)
    # It began before the third, and goes on although there is no room for both.
    assert (second.turns, third.turns) == (1, 0)
    incoming.done(second)
    assert third.turns == 1
    assert not incoming.is_contended


def test_the_one_that_began_first_goes_on_whatever_it_needs() -> None:
    incoming = IncomingBytes(bytes_max=100)
    first, second = Holder(), Holder()
    assert incoming.grow(first, 50)
    assert not incoming.grow(second, 50)
    assert incoming.grow(first, 5000)


def test_one_who_waits_and_gives_up_is_forgotten() -> None:
    incoming = IncomingBytes(bytes_max=100)
    first, second = Holder(), Holder()
    incoming.grow(first, 100)
    incoming.grow(second, 70)
    incoming.done(second)
    assert not incoming.is_contended
    incoming.done(first)
    assert second.turns == 0
    assert not incoming.is_full


def test_what_is_on_its_way_to_the_disk_counts_too() -> None:
    """P6: while storage fails, sockets are not read."""
    incoming = IncomingBytes(bytes_max=10_000)
    first, second = Holder(), Holder()
    incoming.unsaved_bytes += 10_000
    assert incoming.is_full
    assert incoming.grow(first, 10)
    assert not incoming.grow(second, 10)
    incoming.unsaved_bytes -= 10_000
    incoming.give_turns()
    assert second.turns == 1
    assert not incoming.is_full


def test_it_is_crowded_when_too_many_wait() -> None:
    incoming = IncomingBytes(bytes_max=100, waiting_max=2)
    holders = [Holder() for _ in range(4)]
    for holder in holders[:3]:
        incoming.grow(holder, 100)
    assert not incoming.is_crowded
    incoming.grow(holders[3], 100)
    assert incoming.is_crowded
