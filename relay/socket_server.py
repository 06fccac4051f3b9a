"""uvicorn's server, with a bound on how long a TLS handshake takes."""

import asyncio
import socket

import uvicorn


class SocketServer(uvicorn.Server):
    """Listens on the sockets that it is given; a handshake is done in ``handshake_s``."""

    def __init__(self, config: uvicorn.Config, handshake_s: float) -> None:
        super().__init__(config)
        self._handshake_s = handshake_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; uvicorn itself would leave a handshake the loop's 60 s."""
        await super().startup(sockets=[])
        config = self.config
        loop = asyncio.get_running_loop()
        for each in sockets or ():
            server = await loop.create_server(
                self._make_protocol,
                sock=each,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=None if config.ssl is None else self._handshake_s,
            )
            self.servers.append(server)

    def _make_protocol(self) -> asyncio.Protocol:
        """See create_protocol in uvicorn's own ``startup``."""
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol
