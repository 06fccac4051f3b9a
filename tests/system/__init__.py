"""The server as its users meet it: a real process, real sockets, stock Yjs clients."""
