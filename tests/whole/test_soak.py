"""`rookery soak` hurts real runners and stays clean; a rule that does not hold is told, with an exit code."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.doubles.deployments import write_config
from tests.whole.deployment import EXAMPLE, rookery, start

pytestmark = pytest.mark.slow


async def test_a_short_soak_is_clean(state_dir: Path) -> None:
    """Twelve seconds, a fault every two: each is told in a line, all calls end, and the exit code is 0."""
    out = state_dir / "soak.json"

    done = await rookery(
        "soak", "--minutes", "0.2", "--every", "2", "--seed", "3", "--json", out, state=state_dir
    )

    assert done.code == 0, done
    summary = json.loads(out.read_text())
    assert done.lines[0] == "soaking a, b, c, d for 0.2 minutes, a fault every 2 s, seed 3"
    assert done.lines[-1].startswith("clean after ")
    assert done.lines[-1].endswith(", seed 3")
    assert len(summary["faults"]) >= 4
    assert all(fault["is_as_expected"] for fault in summary["faults"])
    assert summary["calls"]["call"]["ok"] > 200
    assert summary["calls"]["event"]["ok"] > 100
    assert (summary["broken"], summary["growing"], summary["is_clean"]) == ([], [], True)


async def test_a_deployment_of_somebody_is_soaked_without_its_gateway(state_dir: Path) -> None:
    """Its own plugins live on beside the one that hurts them."""
    out = state_dir / "soak.json"

    done = await rookery(
        "soak", EXAMPLE, "--minutes", "0.08", "--every", "1", "--seed", "5", "--json", out, state=state_dir
    )  # fmt: skip

    summary = json.loads(out.read_text())
    assert done.code == 0, done
    assert len(summary["faults"]) >= 2
    assert summary["calls"]["call"]["ok"] > 50


async def test_what_does_not_hold_ends_with_one_and_says_what(state_dir: Path, tmp_path: Path) -> None:
    """A plugin that ends its own runner is no fault of the test's: the rule, the shard and the values are told."""
    plugin = tmp_path / "plugins" / "bad"
    plugin.mkdir(parents=True)
    (plugin / "plugin.toml").write_text('[plugin]\nid = "test.bad"\nversion = "1.0.0"\n')
    (plugin / "plugin.py").write_text(
        "import os, trio\nfrom rookery.runner import Plugin\n\n\nclass It(Plugin):\n"
        "    async def on_load(self):\n        self.ctx.start_task(self.end)\n\n"
        "    async def end(self):\n        await trio.sleep(1)\n        os._exit(9)\n"
    )
    config = write_config(
        tmp_path, '[rookery]\nplugin_dirs = ["plugins"]\n[[shard]]\nname = "weak"\nplugins = ["test.bad"]\n'
    )

    done = await rookery("soak", config, "--minutes", "0.05", "--every", "60", state=state_dir)

    assert done.code == 1, done
    [told, again] = [line for line in done.lines if "a runner that nobody has hurt lives" in line]
    assert again.startswith(told)  # and how often, when it was more than once
    assert 'weak: shard "weak" #1' in told
    assert "exited by itself with code 9" in told
    assert done.lines[-2].startswith("NOT CLEAN after ")
    kept = Path(done.lines[-1].removeprefix("the log and the crash reports are kept in "))
    assert (kept / "log" / "rookery.log").is_file()


def test_ctrl_c_ends_it_with_the_summary(state_dir: Path) -> None:
    """Somebody who has seen enough gets what there is, and 130."""
    process = start("soak", "--minutes", "5", "--every", "1", state=state_dir, stdout=-1)
    assert process.stdout is not None
    with process.stdout as out:
        head, fault = out.readline(), out.readline()
        process.send_signal(signal.SIGINT)
        rest = out.read().decode()

    assert process.wait() == 130
    assert head.startswith(b"soaking ")
    assert b" s  " in fault
    assert "ended early" in rest.splitlines()[-1]
