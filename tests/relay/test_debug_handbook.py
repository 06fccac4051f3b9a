"""The description of what can be seen is current, and complete."""

import subprocess
import sys

from relay_process import CHECKOUT, environment

from relay.debug.models import Document, Storage
from relay.metrics import METRICS


def test_the_description_is_current() -> None:
    """Otherwise run tools/describe_debug."""
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "describe_debug", "--check"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_field_and_every_metric_is_described() -> None:
    text = (CHECKOUT / "engineering" / "debug.md").read_text(encoding="utf-8")
    for model in (Storage, Document):
        for name, field in model.model_fields.items():
            assert f"| `{name}` |" in text
            assert field.description
            assert field.description in text
    for row in METRICS:
        assert f"| `{row.exposed_name}` | {row.kind} |" in text
