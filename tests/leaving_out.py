"""Leaves a test out where what it needs is not there; where it counts, that is a failure."""

import os
from typing import NoReturn

import pytest


def leave_out(reason: str) -> NoReturn:
    """Skip the test that is running; with CI=true it fails instead, so that nothing is left out."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
