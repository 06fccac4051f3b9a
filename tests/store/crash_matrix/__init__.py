"""The crash matrix: every kind of work, stopped between every two operations on the files."""
