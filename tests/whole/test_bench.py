"""`rookery bench` measures real runners, in a run that is as short as one can be; its figures are nobody's business."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.whole.deployment import rookery, start

pytestmark = pytest.mark.slow

SHORT = ("--quick", "--moment", "0.01", "--repetitions", "1")


async def test_a_short_run_measures_all_that_it_promises(state_dir: Path) -> None:
    """No call fails, each row has a value or a reason, and the drawing is one."""
    out, plot = state_dir / "bench.json", state_dir / "bench.svg"

    done = await rookery("bench", *SHORT, "--json", out, "--plot", plot, state=state_dir)

    assert done.code == 0, done
    found = json.loads(out.read_text())
    assert (found["failures"], found["is_complete"], found["repetitions"]) == ([], True, 1)
    rows = {row["name"]: row for row in found["goals"]}
    assert all(row["value"] is not None or row["reason"] for row in rows.values())
    for name in (
        "invoke 1 KB, async handler",
        "event, 64 quick plain handlers, 4 shards",
        "hook chain of 64, 1 shard",
    ):
        assert rows[name]["ratio"] > 0
    assert rows["5,000 calls at once: failed"]["value"] == 0
    assert rows["memory of 64 shards"]["reason"] == "only without --quick"
    assert len(found["sweep"]) > 10
    assert len(found["open_loop"]) == 12
    assert ElementTree.fromstring(plot.read_text()).tag.endswith("svg")


def test_ctrl_c_ends_it_with_what_there_is(state_dir: Path) -> None:
    """Before anything was measured that is little, and no traceback."""
    out = state_dir / "bench.json"
    with start("bench", "--json", out, state=state_dir, stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = process.stdout.readline()

        process.send_signal(signal.SIGINT)
        text, complaints = (stream.read().decode() for stream in (process.stdout, process.stderr))

    assert process.returncode == 130, complaints
    assert head.startswith(b"measuring ")
    assert "Traceback" not in complaints
    assert text.splitlines()[-1].endswith("; ended early")
    assert json.loads(out.read_text())["is_complete"] is False
