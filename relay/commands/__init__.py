"""The commands that show a store and act on it, closed or under a running server."""
