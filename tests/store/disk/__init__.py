"""A disk under SQLite that remembers everything written to it, and fails when told to."""
