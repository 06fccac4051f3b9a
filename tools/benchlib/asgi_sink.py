"""An ASGI application that only receives, on the server the relay runs on: a part of the floor.

Run as a server: `python -m benchlib.asgi_sink`. A text frame is answered with the number of
binary frames before it.
"""

import socket

import uvicorn
from starlette.types import Message, Receive, Scope, Send


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Count frames until there are no more."""
    assert scope["type"] == "websocket", "asked for nothing else"
    await receive()
    await send({"type": "websocket.accept"})
    count = 0
    while True:
        message: Message = await receive()
        if message.get("bytes") is not None:
            count += 1
        elif message["type"] == "websocket.disconnect":
            return
        else:
            await send({"type": "websocket.send", "text": str(count)})


def main() -> None:
    """Serve on a free port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    host, port = listener.getsockname()
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    # Who connects before the server accepts waits in the backlog.
    print(f"listening on ws://{host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
