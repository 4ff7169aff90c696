"""Bad plugins before the command line: what is printed, how it exits, and what is left of their processes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import trio

from rookery.supervisor.observers import PluginNotLoaded, RunnerBack, RunnerDied
from tests.doubles.processes import wait_gone
from tests.whole.deployment import kill, rookery, runner_pids, write_recording
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

GOOD = '@command("ping")\nasync def ping(self) -> str:\n    return "pong"'


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    found = Deployment(tmp_path, state_dir)
    found.plugin("good", "good", GOOD)
    return found


def with_console(deployment: Deployment) -> Path:
    """The configuration, with the terminal's gateway in a shard of its own."""
    deployment.more = 'bundled = ["rookery.console"]\n[pipeline]\ndispatch_timeout = 2.0'
    config = deployment.write()
    config.write_text(
        config.read_text() + '[[shard]]\nname = "gate"\nplugins = ["rookery.console"]\nterminal = true\n'
    )
    return config


async def test_a_run_with_bad_plugins_answers_and_ends(deployment: Deployment, state_dir: Path) -> None:
    """Each bad plugin is one line with its name and reason; the good one answers; the end of input is exit 0."""
    deployment.module("good", "leaves", "import sys\nsys.exit(3)\n")
    deployment.module("other", "raises", "raise LookupError('where?')\n")
    deployment.plugin("other", "fails", '@command("fail")\nasync def fail(self) -> str:\n    return 1 / 0')
    deployment.plugin("dies", "dies", '@command("die")\nasync def die(self) -> str:\n    os._exit(5)')
    plugin = deployment.directory / "plugins" / "test.dies" / "plugin.py"
    plugin.write_text(plugin.read_text().replace("import trio\n", "import os\nimport trio\n"))

    done = await rookery("run", with_console(deployment), state=state_dir, stdin=b"!fail\n!die\n!ping\n")

    assert done.code == 0, done
    assert "pong" in done.lines
    for told in (
        r"test\.leaves.*SystemExit: 3",
        r"test\.raises.*LookupError: where\?",
        r"test\.fails.*ZeroDivisionError",
        r'shard "dies" #1 .*exited by itself with code 5',
    ):
        assert re.search(told, done.err), (told, done.err)
    assert "Traceback" not in done.err
    assert runner_pids() == []


async def test_a_replay_counts_what_a_dying_plugin_lost(deployment: Deployment, state_dir: Path) -> None:
    """A runner that its plugin ends costs its own calls, counted, and exit code 3."""
    deployment.module(
        "dies",
        "dies",
        'import os\nfrom rookery.runner import *\n\n\nclass It(Plugin):\n    @command("die")\n'
        "    async def die(self) -> str:\n        os._exit(5)\n",
    )
    lines = [("#a", "u", "!ping"), ("#a", "u", "!die"), ("#b", "u", "!ping")]
    recording = write_recording(deployment.directory / "chat.jsonl", lines)

    done = await rookery("replay", deployment.write(), recording, "--json", state=state_dir)

    assert done.code == 3, done
    summary = json.loads(done.out)
    assert (summary["accepted"], summary["lost"]) == (3, 1), json.dumps(summary)
    assert "exited by itself with code 5" in done.err


async def test_a_plugin_that_ends_every_runner_is_left_out(deployment: Deployment) -> None:
    """At the second time it is named and not loaded any more; its neighbour comes up."""
    deployment.module("good", "ends", "import os\nos._exit(9)\n")

    async with deployment.run() as supervisor:
        loaded = supervisor.shards["good"].loaded
        blocked = [record for record in deployment.told(PluginNotLoaded) if record.blocked]

    assert loaded == ("test.good",)
    assert [record.plugin_id for record in blocked] == ["test.ends"]
    deaths = [died.report for died in deployment.told(RunnerDied) if not died.report.planned]
    assert [(death.code, death.loading) for death in deaths] == [(9, "test.ends")] * 2


async def test_killed_while_idle(deployment: Deployment) -> None:
    """It is back at once, and nobody had to ask for it."""
    async with deployment.run() as supervisor:
        pid = supervisor.shards["good"].pid
        assert pid is not None
        kill(pid)
        back = await deployment.wait_told(RunnerBack, lambda record: record.incarnation == 2)

    assert back.after < 5.0


async def test_what_a_handler_has_started_goes_with_its_runner(deployment: Deployment) -> None:
    """A child process of a plugin does not outlive the deployment."""
    deployment.plugin(
        "good",
        "starts",
        '@tool(description="")\nasync def start(self) -> int:\n    import subprocess\n'
        '    return subprocess.Popen(["/bin/sleep", "600"]).pid',
    )

    async with deployment.run() as supervisor:
        pid = await supervisor.invoke("test.starts", "start")
        os.kill(pid, 0)

    await wait_gone(pid)


@pytest.mark.parametrize("body", ["raise ValueError('not now')", "await trio.sleep_forever()"])
async def test_a_stop_is_bounded_whatever_unloading_does(deployment: Deployment, body: str) -> None:
    """The shard's own times bound it."""
    deployment.plugin("good", "stays", f"async def on_unload(self) -> None:\n    {body}")

    async with deployment.run():
        begun = trio.current_time()

    assert trio.current_time() - begun < 6.0
