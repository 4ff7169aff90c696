"""What does a runner get from its host besides a connection: no secret in its arguments or environment, and no file of the host's?

Looked at from outside, as the kernel tells it, for a spawned runner, a forked one and the zygote: what is there, any code in it
has, whatever its isolation.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.isolation import hide_variables
from rookery.supervisor.process_look import children_of
from tests.whole.host import Deployment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only /proc says what a process has"),
]

SECRET = "sk-of-the-host-and-nobody-else"
GREET = '@tool("greet")\nasync def greet(self):\n    return "hello"'


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A spawned stranger, a forked friend, and secrets in the host's environment, one under a name that is let through else."""
    made = Deployment(tmp_path, state_dir)
    made.plugin("guests", "guest", GREET)
    made.plugin("friends", "friend", GREET)
    made.tables["guests"] = 'trust = "untrusted"\nown_user = false\n'
    made.tables["friends"] = 'environment = ["*"]\n'
    monkeypatch.setenv("OPERATORS_KEY", SECRET)
    monkeypatch.setenv("ROOKERY_SOMETHING", SECRET)
    monkeypatch.setenv("MAIBOT_SESSION_TOKEN", SECRET)
    hide_variables(["OPERATORS_KEY"])
    return made


def children(supervisor: Supervisor) -> list[int]:
    """Runners, and the zygote."""
    found = children_of(os.getpid())
    assert {shard.pid for shard in supervisor.shards.values()} <= set(found)
    return found


async def test_no_child_is_told_a_secret(deployment: Deployment) -> None:
    """Not by its arguments, which everybody on the machine may read, and not by its environment, even where all of it is let in."""
    async with deployment.run() as supervisor:
        for pid in children(supervisor):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert SECRET.encode() not in arguments + environment


async def test_no_child_holds_a_file_of_the_host(deployment: Deployment) -> None:
    """No database, log, record or lock: what is open needs no permission any more."""
    async with deployment.run() as supervisor:
        assert any(_points_below(os.getpid(), deployment.state))
        for pid in children(supervisor):
            assert list(_points_below(pid, deployment.state)) == []


async def test_what_the_host_keeps_is_for_nobody_else(deployment: Deployment) -> None:
    """Whatever the mask of the shell it was started from."""
    before = os.umask(0)
    try:
        async with deployment.run():
            open_to_others = [
                f"{path} {stat.filemode(mode)}"
                for path in (deployment.state, *deployment.state.rglob("*"))
                if (mode := path.lstat().st_mode) & 0o077 and not stat.S_ISLNK(mode)
            ]
            names = {path.name for path in deployment.state.iterdir()}
    finally:
        os.umask(before)

    assert len(names) > 3
    assert open_to_others == []


def _points_below(pid: int, directory: Path) -> list[str]:
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue  # of the listing itself
        if target.startswith(f"{directory.resolve()}/"):
            found.append(target)
    return found
