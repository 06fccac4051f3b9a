"""A test is left out only where that does not count."""

import pytest
from leaving_out import leave_out


def test_a_test_that_cannot_run_fails_in_ci_and_is_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no decoder"):
        leave_out("no decoder")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no decoder"):
        leave_out("no decoder")
