"""A status says of each shard how it is and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor import load_settings, open_supervisor
from tests.doubles.deployments import write_config, write_plugin

pytestmark = pytest.mark.slow


async def test_a_shard_that_waits_for_its_first_start_is_as_old_as_the_host(
    tmp_path: Path, state_dir: Path
) -> None:
    """Its time in the state is not the age of the clock. Few are started at once; the others wait."""
    for number in range(6):
        write_plugin(tmp_path, f"test.number{number}")
    text = '[rookery]\nname = "bot"\nplugin_dirs = ["plugins"]\n[placement]\npolicy = "isolate"\n'
    settings = load_settings(write_config(tmp_path, text), environ={"XDG_STATE_HOME": str(state_dir)})

    async with open_supervisor(settings) as supervisor:
        shards = supervisor.status().as_json()["shards"]
        supervisor.request_stop(force=True)

    assert "idle" in {shard["state"] for shard in shards}
    assert max(shard["since"] for shard in shards) < 60
