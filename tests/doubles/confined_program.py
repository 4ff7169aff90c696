"""Run a few lines of Python as a confined runner would be run: by the real stage, filter and rules, without a host."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import attrs

from rookery.supervisor.process import Launch, start
from rookery.supervisor.profiles import Isolation
from rookery.supervisor.python_paths import python_paths
from rookery.supervisor.seccomp import build_filter
from rookery.supervisor.stage_plan import Confinement, Surroundings, write_plan
from tests.doubles.confinement import means


def run_confined(
    code: str,
    home: Path,
    isolation: Isolation = Isolation.CONFINED,
    *,
    network: bool = False,
    subprocesses: bool = False,
    own_user: bool = False,
    arguments: tuple[str, ...] = (),
    seconds: float = 30.0,
) -> str:
    """What the lines print; what they write to standard error comes after it.

    Args:
        home: Its own directory, the only one that it may write to.
        own_user: Whether its filter takes its user for nobody else's.
        arguments: In ``sys.argv[1:]``.
    """
    ours, theirs = socket.socketpair()
    out_read, out_write = os.pipe()
    with ours, theirs:
        launch = Launch(
            command=(sys.executable, "-P", "-c", code, *arguments),
            environment={"PATH": os.defpath, "TMPDIR": str(home)},
            stdout=out_write,
            stderr=out_write,
            inherited=(theirs.fileno(),),
            link=theirs.fileno(),
        )
        own = Surroundings(read=tuple(python_paths(sys.executable)), write=(str(home),), home=str(home))
        how = Confinement(
            profile=isolation,
            network=network,
            subprocesses=subprocesses,
            program=build_filter(
                network=network,
                subprocesses=subprocesses,
                own_user=own_user,
                own_mounts=isolation is Isolation.SANDBOX,
            ),
            bubblewrap=means().bubblewrap,
        )
        plan = write_plan(launch, own, how, kept=())
        child = start(attrs.evolve(launch, plan=plan))
        os.close(out_write)
        try:
            with open(out_read, encoding="utf-8", errors="replace") as file:
                text = file.read()
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise
    return text
