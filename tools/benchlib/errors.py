"""The one error of the benchmarks."""


class RunFailed(Exception):
    """A run that cannot count: the server went away, took too long, or lost content."""
