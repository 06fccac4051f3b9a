"""The sockets of the process, whatever they speak."""

import asyncio

from relay.sockets import Sockets


def test_a_socket_is_counted_once_through_its_protocols() -> None:
    sockets = Sockets(1, 1)
    http, websocket, another = (asyncio.Protocol() for _ in range(3))
    assert sockets.enter(http, "10.0.0.1") is None
    sockets.hand_over(http, websocket)
    sockets.leave(http)
    assert sockets.enter(another, "10.0.0.2") == "connections"
    sockets.leave(another)
    sockets.leave(websocket)
    assert sockets.enter(another, "10.0.0.2") is None


def test_a_proxys_sockets_are_not_one_clients() -> None:
    sockets = Sockets(10, 1, lambda host: host == "10.0.0.1")
    protocols = [asyncio.Protocol() for _ in range(4)]
    assert [sockets.enter(each, "10.0.0.1") for each in protocols[:2]] == [None, None]
    assert sockets.enter(protocols[2], "10.0.0.2") is None
    assert sockets.enter(protocols[3], "10.0.0.2") == "connections from this address"
    for protocol in protocols:
        sockets.leave(protocol)
    assert sockets.enter(protocols[0], "10.0.0.2") is None
