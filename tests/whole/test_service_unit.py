"""The unit for systemd says what the host relies on."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from rookery.supervisor.settings import MAX_STOP
from tests.whole.deployment import EXAMPLE

UNIT = EXAMPLE.parents[1] / "systemd" / "rookery@.service"


def test_the_unit_is_what_the_host_expects() -> None:
    """How it is watched, started again, stopped, and what it may use."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals

    parser.read_string(UNIT.read_text())

    service = dict(parser["Service"])
    wanted = {
        "Type": "notify", "WatchdogSec": "30", "Restart": "always", "RestartSec": "100ms", "RestartSteps": "5",
        "RestartMaxDelaySec": "30s", "RestartPreventExitStatus": "78", "KillMode": "mixed", "TimeoutStopSec": "40",
        "Delegate": "yes",
    }  # fmt: skip
    assert {name: service.get(name) for name in wanted} == wanted
    assert {"TasksMax", "MemoryHigh", "MemoryMax"} <= service.keys()
    assert float(service["TimeoutStopSec"]) > MAX_STOP


@pytest.mark.slow
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """By its own checker; only the paths of an installation are missing here."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "rookery@chatbot.service"
    text = UNIT.read_text().replace("/opt/rookery/bin/rookery", "/bin/true").replace("User=rookery\n", "")
    unit.write_text(text)

    done = subprocess.run([checker, "verify", str(unit)], capture_output=True, text=True, check=False)

    # An older systemd does not know the two settings of growing delays, and goes on without them.
    told = [line for line in done.stderr.splitlines() if str(unit) in line or unit.name in line]
    strange = [line for line in told if "RestartSteps" not in line and "RestartMaxDelaySec" not in line]
    assert strange == [], done.stderr
