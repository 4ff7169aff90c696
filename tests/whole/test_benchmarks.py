"""Do the benchmarks of supervision and of scale run, and say what they promise to say? Short runs: the figures are nobody's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="they measure what the Linux kernel does"),
]

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(tmp_path: Path, program: str, *options: str) -> tuple[dict[str, Any], str]:
    """Its rows, and what it printed."""
    result = tmp_path / "result.json"
    command = [sys.executable, str(BENCHMARKS / program), *options, "--json", str(result)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    written = json.loads(result.read_text())
    assert written["machine"]
    figures: dict[str, Any] = written["figures"]
    return figures, done.stdout


def test_deaths_are_measured_idle_and_under_load(tmp_path: Path) -> None:
    """Each death has its times, and the other shard loses nothing."""
    rows, text = run(tmp_path, "deaths.py", "--deaths", "3", "--peace", "0.4")

    assert "death to all callers told" in text
    assert rows["idle: death to known, ms"]["measured"] == rows["load: death to known, ms"]["measured"] == 3
    assert rows["bystander: lost calls"]["value"] == 0


def test_orphans_are_watched_until_the_last_has_gone(tmp_path: Path) -> None:
    """One host is killed, and nothing that descends from it is missed."""
    rows, text = run(tmp_path, "orphans.py", "--trials", "1")

    assert "daemon" in text
    assert rows["the last of all, ms"]["measured"] == 1
    assert rows["processes that nobody had foreseen"]["value"] == 0


def test_two_results_are_compared_whatever_their_rows_have(tmp_path: Path) -> None:
    """Rows of many measurements by their spread, single numbers by their goal, and what is no result is told."""
    steady = {"median": 10.0, "min": 9.9, "max": 10.1}
    old = {"figures": {"time": steady, "kills": {"value": 0, "goal": "value <= 0", "holds": True}}}
    new = {"figures": {"time": steady, "kills": {"value": 2, "goal": "value <= 0", "holds": False}}}
    other = {"goals": []}
    for name, content in (("old", old), ("new", new), ("other", other)):
        (tmp_path / name).write_text(json.dumps(content))

    def compare(*names: str) -> tuple[int, str]:
        command = [sys.executable, str(BENCHMARKS / "compare.py"), *(str(tmp_path / name) for name in names)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    same, worse, bad = compare("old", "old"), compare("old", "new"), compare("old", "other")

    assert same[0] == 0
    assert worse[0] == 1
    assert "WORSE: value <= 0 held" in worse[1]
    assert bad[0] == 1
    assert "has no figures" in bad[1]


def test_starts_of_both_kinds_are_measured(tmp_path: Path) -> None:
    """Forked and spawned, with what their memory is; most of a forked runner's is its zygote's too."""
    rows, text = run(tmp_path, "starts.py", "--runners", "1", "--rounds", "1")

    assert "round trip, zygote to spawn" in text
    assert rows["zygote: death to serving again, ms"]["measured"] == 4
    private = {kind: rows[f"1 by {kind}: private, MB each"]["median"] for kind in ("zygote", "spawn")}
    assert private["zygote"] < private["spawn"]


def test_late_hosts_are_tried_in_each_way(tmp_path: Path) -> None:
    """Blocked, stopped, beside hogs; and it is said how the trials were split."""
    rows, text = run(tmp_path, "false_kills.py", "--quick")

    assert "2 hosts" in text
    assert [rows[f"{kind}: trials"]["value"] for kind in ("blocked", "stopped", "hogged")] == [2, 2, 2]
    assert rows["false kills in all"]["value"] == 0


def test_look_ups_are_measured_in_each_size(tmp_path: Path) -> None:
    """And what they grow by."""
    rows, text = run(tmp_path, "lookup.py", "--turns", "2", "--most", "100")

    assert "event, other sessions" in text
    assert rows["event, other words: 100, µs"]["measured"] == 2
    assert rows["hook: growth"]["value"] > 0


def test_bots_of_several_sizes_are_started(tmp_path: Path) -> None:
    """Each in a host of its own, with real runners."""
    rows, text = run(tmp_path, "scale.py", "--cells", "8x2", "12x2")

    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["8x2", "12x2"]
    assert rows["12x2: event to all, ms"]["value"] > 0
    assert rows["8x2: host, MB"]["value"] > 1
