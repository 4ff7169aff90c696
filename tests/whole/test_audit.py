"""`rookery audit -f` beside a real bot: what a plugin is granted and denied, what it violates, and that it is killed for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import DispatchFailed, Supervisor, audit
from rookery.supervisor.observers import RunnerBack, RunnerDied
from tests.faults.test_e_hostile import HOSTILE
from tests.faults.test_e_registrations import MORE
from tests.whole.deployment import rookery, start
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A record that rotates every few lines, so that whoever follows it has to."""
    monkeypatch.setattr(audit, "MAX_FILE_BYTES", 600)
    monkeypatch.setattr(audit, "KEPT_FILES", 100)
    made = Deployment(tmp_path, state_dir)
    made.module("hostile", "evil", HOSTILE + MORE, capabilities=["config.get", "llm.embed"])
    made.tables["hostile"] = 'trust = "untrusted"\nown_user = false'
    made.more = '[grants.untrusted]\nallow = ["config.*"]\n'
    return made


async def misbehave(supervisor: Supervisor, deployment: Deployment) -> None:
    """Use what is not granted, send what is no frame, and be killed by somebody else after that."""
    await supervisor.invoke("test.evil", "ask", {"name": "llm.embed", "args": {}})
    with pytest.raises(DispatchFailed):
        await supervisor.invoke("test.evil", "attack", {"how": "a length of nothing", "host": os.getpid()})
    back = await deployment.wait_told(RunnerBack, lambda back: back.incarnation == 2)
    os.kill(back.pid, signal.SIGKILL)
    await deployment.wait_told(RunnerDied, lambda died: died.report.pid == back.pid)


def read_until(process: subprocess.Popen[bytes], what: str) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        entry: dict[str, Any] = json.loads(line)
        yield entry
        if entry["what"] == what:
            return


async def test_whoever_follows_the_record_sees_each_step(deployment: Deployment) -> None:
    """With plugin, shard, time and reason, over every rotation, and the same as is read afterwards."""
    config = deployment.write()
    async with deployment.run() as supervisor:
        following = start(
            "audit", "-f", "-n", "0", "--json", "--config", config,
            state=deployment.state, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            await misbehave(supervisor, deployment)
            with trio.fail_after(PATIENCE):
                seen = await trio.to_thread.run_sync(list, read_until(following, "died"))
        finally:
            following.kill()
            following.communicate()
    after = await rookery("audit", "-n", "0", "--config", config, state=deployment.state)

    told = {entry["what"]: entry for entry in seen}
    assert list(dict.fromkeys(entry["what"] for entry in seen)) == [
        "granted",
        "denied",
        "revoked",
        "violation",
        "killed",
        "died",
    ]
    assert {entry["plugin"] for entry in seen} == {"test.evil"}
    assert {entry["shard"] for entry in seen} == {"hostile"}
    assert all(entry["time"] > 1e9 and entry["reason"] for entry in seen)
    assert 'add "llm.embed" to allow in [grants.untrusted]' in told["denied"]["reason"]
    assert "a length of 0 bytes" in told["violation"]["reason"]
    assert "a length of 0 bytes" in told["killed"]["reason"]
    assert len(list(deployment.state.glob("audit.jsonl.*"))) >= 3, "it did not rotate"
    lines = [line for line in after.lines if "[hostile" in line]
    assert len(lines) >= len(seen)
    assert any(" violation   [hostile #1] test.evil: " in line for line in lines)
