"""The page's pure modules, tested where they can be without a browser: in Node."""

import os
import subprocess
from pathlib import Path

from leaving_out import leave_out

HERE = Path(__file__).parent


WITHOUT_NODE = "YJS_RELAY_TEST_WITHOUT_NODE"


def test_the_pure_modules_keep_their_rules() -> None:
    if os.environ.get(WITHOUT_NODE) == "1":
        leave_out(f"left out on purpose: {WITHOUT_NODE}=1")
    done = subprocess.run(
        ["node", "--test", HERE / "pure.test.mjs"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "fail 0" in done.stdout
