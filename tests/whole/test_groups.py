"""A group of real shards follows its strategy, and ends `rookery run` with the exit code that says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.shard_state import ShardState
from tests.whole.deployment import rookery
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow

END_WITH = """
async def on_load(self) -> None:
    import os, threading
    threading.Timer(0.3, os._exit, [{code}]).start()
"""

QUICK = """[shard.restart]
mode = "{mode}"
burst_limit = 0
failed_retry = 0
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


async def test_a_required_shard_ends_the_host_with_70(deployment: Deployment) -> None:
    """After as many restarts of its group as that has; also when it is the only shard that there is."""
    deployment.plugin("gateway", "dying", END_WITH.format(code=1))
    deployment.shard_more = QUICK.format(mode="permanent")
    deployment.more = '[[group]]\nname = "plugins"\nrestart_limit = 2\nstart_stagger = 0'
    config = deployment.write()
    config.write_text(
        config.read_text().replace('name = "gateway"', 'name = "gateway"\nsignificance = "required"')
    )

    done = await rookery("run", config, state=deployment.directory)

    assert done.code == 70
    assert done.err.count('group "plugins" is restarted') == 2
    assert 'the host ends: the required shard "gateway" was given up' in done.err
    assert "every shard was given up" not in done.err


@pytest.mark.parametrize(("code", "ends_with"), [(0, 0), (3, 70)])
async def test_a_job_ends_the_host(code: int, ends_with: int, deployment: Deployment) -> None:
    """With 0 when it is done, with 70 when it crashed; also when it is the only shard that there is."""
    deployment.plugin("job", "job", END_WITH.format(code=code))
    deployment.shard_more = QUICK.format(mode="transient")
    deployment.more = '[[group]]\nname = "plugins"\nauto_shutdown = "all_significant"'
    config = deployment.write()
    config.write_text(config.read_text().replace('name = "job"', 'name = "job"\nsignificance = "one_shot"'))

    done = await rookery("run", config, state=deployment.directory)

    assert done.code == ends_with
    assert "every shard was given up" not in done.err


async def test_those_behind_a_dead_one_are_restarted_in_order(deployment: Deployment) -> None:
    """With real processes: the first stays, the others come back, one behind the other."""
    for name in ("first", "second", "third"):
        deployment.plugin(name, name, "pass")
    deployment.more = '[[group]]\nname = "plugins"\nstrategy = "rest_for_one"'
    async with deployment.run() as supervisor:
        first, second, third = (supervisor.shards[name] for name in ("first", "second", "third"))
        second.accuse("a test wants it")
        died = await deployment.wait_told(RunnerDied, lambda record: record.report.shard == "third")
        with trio.fail_after(PATIENCE):
            await third.state.wait_value(lambda state: state is ShardState.READY and third.incarnation == 2)

        assert died.report.planned
        assert (first.incarnation, second.incarnation) == (1, 2)
        assert second.since <= third.since
