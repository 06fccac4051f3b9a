"""A flat-out writer, run as a program: fills the socket as fast as the server empties it.

Arguments: the server's port, the document, and how many keystrokes to send. Each keystroke is a
frame of its own and goes to the root `flood`. It reads and throws away what the server sends, and
ends with the connection, or when its standard input ends.
"""

import socket
import sys
import threading

from pycrdt import Doc, Text

from .raw_socket import frame, opening_handshake
from .ywire import update_message

BINARY = 0x82
FRAMES_PER_WRITE = 100


def make_frames(count: int) -> list[bytes]:
    doc: Doc[Text] = Doc()
    text = doc.get("flood", type=Text)
    frames: list[bytes] = []
    watching = doc.observe(lambda event: frames.append(frame(BINARY, update_message(event.update))))
    for i in range(count):
        text.insert(i, "flood"[i % 5])
    doc.unobserve(watching)
    return frames


def main(port: int, document: str, count: int) -> None:
    frames = make_frames(count)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(opening_handshake(port, document))
        # Nothing may follow the handshake before its answer (RFC 6455).
        answer = connection.recv(4096)
        assert b" 101 " in answer.splitlines()[0], answer
        threading.Thread(target=discard, args=(connection,), daemon=True).start()
        for i in range(0, count, FRAMES_PER_WRITE):
            connection.sendall(b"".join(frames[i : i + FRAMES_PER_WRITE]))
        sys.stdin.read()


def discard(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
