"""The page's pure modules, tested where they can be without a browser: in Node."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(
    os.environ.get("YJS_RELAY_TEST_WITHOUT_NODE") == "1" and os.environ.get("CI") != "true",
    reason="left out on purpose: YJS_RELAY_TEST_WITHOUT_NODE=1",
)
def test_the_pure_modules_keep_their_rules() -> None:
    done = subprocess.run(
        ["node", "--test", HERE / "pure.test.mjs"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "fail 0" in done.stdout
