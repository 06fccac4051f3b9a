"""Tests of the engine, on real SQLite files."""
