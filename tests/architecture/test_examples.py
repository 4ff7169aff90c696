"""Every example is a deployment that `rookery check` accepts."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, place_of

EXAMPLES = sorted((ROOT / "examples").glob("**/rookery.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("config", EXAMPLES, ids=place_of)
def test_an_example_has_no_mistake(config: Path) -> None:
    """The command that finds every mistake finds none in what newcomers copy."""
    if not hasattr(importlib.import_module("rookery.supervisor.cli"), "main"):
        pytest.skip("there is no `rookery check` yet")

    program = "from rookery.supervisor.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", str(config)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
