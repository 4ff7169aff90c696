"""A runner that was forked from a zygote is what a spawned one is: the kernel and its plugins see no difference."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.process_look import children_of
from rookery.supervisor.run_name import RUN_VARIABLE
from tests.whole.host import Deployment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only"),
]

LOOKS = """
@tool("look")
def look(self) -> dict:
    import locale, os, random, resource, signal, sys, tempfile, threading
    main = sys.modules["__main__"]
    return {
        "parent": os.getppid(),
        "leads": os.getpid() == os.getpgrp() == os.getsid(0),
        "argv": sys.argv[:1],
        "main": [main.__spec__.name, main.__name__],
        "path": sys.path,
        "flags": str(sys.flags),
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "encoding": [sys.stdout.encoding, locale.getlocale()],
        "threads": sorted(thread.name.split("-")[0] for thread in threading.enumerate()),
        "handlers": {str(int(n)): repr(signal.getsignal(n)).split(" at ")[0] for n in signal.valid_signals()},
        "temp": tempfile.gettempdir(),
        "random": random.random(),
        "own_temp": next(tempfile._get_candidate_names()),
    }

@tool("child")
def child(self) -> str:
    import subprocess, sys
    program = "import os; print(os.environ['ROOKERY_RUN'], os.environ.get('ROOKERY_SPARE'), sorted(os.listdir('/proc/self/fd')))"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
"""

SHOWN = (
    "SigQ",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Uid",
    "Gid",
    "Umask",
    "NoNewPrivs",
    "Seccomp",
    "Groups",
    "CapEff",
)
"""Lines of /proc/PID/status that must be the same. ``SigQ`` counts what others do too: only its limit is compared."""


@attrs.frozen
class Look:
    """What can be seen of a runner."""

    told: dict[str, Any]
    descriptors: dict[str, str]
    status: dict[str, str]
    limits: str
    child: str


def kinds_of_descriptors(pid: int) -> dict[str, str]:
    """What each is, without what differs from process to process."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        flags = next(
            line.split()[1]
            for line in Path(f"/proc/{pid}/fdinfo/{name}").read_text().splitlines()
            if line.startswith("flags")
        )
        found[name] = f"{target.partition('[')[0].rstrip('0123456789')} {flags}"
    return found


async def look_at_runner(supervisor: Supervisor, name: str) -> Look:
    pid = supervisor.shards[name].pid
    assert pid is not None
    told = await supervisor.invoke(f"test.{name}", "look")
    lines = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    status = {key: lines.get(key, "").strip().rpartition("/")[2] for key in SHOWN}
    child = await supervisor.invoke(f"test.{name}", "child")
    return Look(
        told, kinds_of_descriptors(pid), status, Path(f"/proc/{pid}/limits").read_text(), child.strip()
    )


async def test_a_forked_runner_is_as_a_spawned_one(tmp_path: Path, state_dir: Path) -> None:
    """Parent, session, descriptors with their flags, signals, limits, environment, directory, threads, path: all the same."""
    looks = {}
    for start in ("spawn", "zygote"):
        deployment = Deployment(tmp_path / start, state_dir)
        deployment.more = f'start = "{start}"'
        deployment.plugin("one", "one", LOOKS)

        async with deployment.run() as supervisor:
            looks[start] = await look_at_runner(supervisor, "one")
            is_forked = supervisor.custody.means["zygote"].startswith("warm")

        assert is_forked == (start == "zygote")
    spawned, forked = looks["spawn"], looks["zygote"]

    assert forked.told.pop("random") != spawned.told.pop("random")
    assert forked.told.pop("own_temp") != spawned.told.pop("own_temp")
    for told in (forked.told, spawned.told):
        assert told["environment"].pop(RUN_VARIABLE).split(":")[1:3] == ["one", "1"]
        assert told["parent"] == os.getpid()
        assert told["leads"]
    assert forked.told == spawned.told
    # The numbers differ by what the host has open for its zygote; what they are must not.
    assert sorted(forked.descriptors.values()) == sorted(spawned.descriptors.values())
    assert forked.status == spawned.status
    assert forked.limits == spawned.limits
    assert forked.child.split(":")[1:3] == spawned.child.split(":")[1:3]
    assert forked.child.split(" ", 1)[1] == spawned.child.split(" ", 1)[1] == "None ['0', '1', '2', '3']"


async def test_a_forked_runner_is_known_by_its_name(tmp_path: Path, state_dir: Path) -> None:
    """What proves a runner to the next host, and what shows it to a person, is its own and not its zygote's."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.more = 'start = "zygote"'
    for name in ("one", "two"):
        deployment.plugin(name, name, LOOKS)

    async with deployment.run() as supervisor:
        names, commands = {}, {}
        for name, shard in supervisor.shards.items():
            environment = Path(f"/proc/{shard.pid}/environ").read_bytes().split(b"\0")
            names[name] = [each for each in environment if each.startswith(RUN_VARIABLE.encode())]
            commands[name] = Path(f"/proc/{shard.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        zygote = supervisor.custody.keeper.pid if supervisor.custody.keeper is not None else 0
        below = children_of(zygote or 0)

    for name in ("one", "two"):
        assert len(names[name]) == 1
        assert f":{name}:1:".encode() in names[name][0]
        assert b"--link-fd" in commands[name]
        assert b"--zygote" not in commands[name]
    assert below == []


async def test_shards_that_are_not_to_be_forked_are_spawned(tmp_path: Path, state_dir: Path) -> None:
    """The hash seed tells: forked runners have their zygote's, a spawned one has its own. Untrusted plugins get that."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.more = 'start = "zygote"'
    for name in ("one", "two", "strange"):
        deployment.plugin(
            name, name, '@tool("seed")\ndef seed(self) -> int:\n    return hash("seed") & 0xFFFFFFFF'
        )
    deployment.tables["strange"] = 'trust = "strange"\nown_user = false'

    async with deployment.run() as supervisor:
        one, two, strange = [await supervisor.invoke(f"test.{name}", "seed") for name in supervisor.shards]

    assert one == two
    assert strange != one
