"""The relay: an ASGI application that Yjs editors connect to over websockets."""
