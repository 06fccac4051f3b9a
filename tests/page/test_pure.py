"""The page's modules that need no browser, tested without one: in Node."""

import os
import subprocess
from pathlib import Path

import pytest
from leaving_out import leave_out

HERE = Path(__file__).parent


WITHOUT_NODE = "YJS_RELAY_TEST_WITHOUT_NODE"


@pytest.mark.parametrize("suite", ["pure.test.mjs", "stream.test.mjs"])
def test_what_needs_no_browser_keeps_its_rules(suite: str) -> None:
    if os.environ.get(WITHOUT_NODE) == "1":
        leave_out(f"left out on purpose: {WITHOUT_NODE}=1")
    done = subprocess.run(
        ["node", "--test", HERE / suite],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "fail 0" in done.stdout
