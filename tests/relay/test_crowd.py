"""How many connections there are, in all and from each address."""

import pytest

from relay.crowd import Crowd, network_of


def test_connections_are_bounded_in_all() -> None:
    crowd = Crowd(2, 10)
    assert [crowd.enter(f"10.0.0.{i}") for i in range(3)] == [None, None, "connections"]
    # Those too many are counted until they leave.
    crowd.leave("10.0.0.2")
    assert crowd.enter("10.0.0.3") == "connections"
    crowd.leave("10.0.0.3")
    crowd.leave("10.0.0.0")
    assert crowd.enter("10.0.0.3") is None


def test_connections_are_bounded_for_each_address() -> None:
    crowd = Crowd(10, 2)
    of_one = [crowd.enter("10.0.0.1") for _ in range(3)]
    assert of_one == [None, None, "connections from this address"]
    assert crowd.enter("10.0.0.2") is None
    for _ in range(2):
        crowd.leave("10.0.0.1")
    assert crowd.enter("10.0.0.1") is None


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "2001:0db8:0000:0001"),
        ("2001:db8:0:1:ffff::9", "2001:0db8:0000:0001"),
        ("2001:db8:0:2::5", "2001:0db8:0000:0002"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_who_has_an_ipv6_network_is_one(host: str, network: str) -> None:
    assert network_of(host) == network
