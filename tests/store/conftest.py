"""What every test of the store shares."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the machine's business.
settings.register_profile("store", deadline=None, print_blob=True)
settings.load_profile("store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store's file goes; nothing is there yet."""
    return tmp_path / "store.db"


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come after the shortest wait they may come after."""
    monkeypatch.setattr("random.uniform", lambda low, _high: low)
