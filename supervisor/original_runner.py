"""What is a runner of the original kind started with?

A peer of protocol 1.0.0 knows none of what a runner of rookery is given: no descriptors, no assignment, no page. It reads
environment variables, connects, and finds its plugins itself. It does not end when its host dies either. So the process
begins as a few lines that tie its group to the host's life by the kernel, and then becomes what the operator has named.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from .isolation import child_environment
from .process import Launch
from .reception import DIRECTORY, Reception

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .channels import Channels
    from .settings import ShardSettings
    from .shard import Shard

BECOME = """
import ctypes, fcntl, os, select, signal, sys
lifeline, directory, *command = sys.argv[1:]
lifeline = int(lifeline)
try:
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
except (AttributeError, OSError):
    pass
if select.select([lifeline], [], [], 0)[0]:
    sys.exit(77)
os.umask(0o077)
try:
    with open("/proc/self/oom_score_adj", "r+") as score:
        if int(score.read()) < 500:
            score.seek(0)
            score.write("500")
except OSError:
    pass
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0)))
try:
    os.chdir(directory)
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"the runner {command[0]!r} cannot be started in {directory}: {error}")
"""
"""The lifeline stays open over the ``exec``, and what was asked of the kernel for it holds on: when the host's end of it closes,
the whole group is sent SIGKILL. Where the kernel cannot do that, the next host ends what this one has left. What stands between
is ``runner/standing.py`` for a program that has none."""


@attrs.frozen
class OriginalRunner:
    """What the runners of a shard are, where they are not rookery's own."""

    command: tuple[str, ...]
    directory: Path
    state_dir: Path

    def open_reception(self, run: str, plugins: Mapping[str, str]) -> Reception:
        """Where one of them is awaited.

        Args:
            run: ``<shard>.<incarnation>``.
            plugins: What it is to load: id to directory.

        Raises:
            OSError: It cannot be made.
        """
        return Reception(self.state_dir / DIRECTORY / run, plugins)

    def launch(
        self,
        shard: Shard,
        run: str,
        channels: Channels,
        reception: Reception,
        external: Mapping[str, str],
        blocked: Mapping[str, str],
    ) -> Launch:
        """How one of them is started.

        Args:
            external: Plugins of other shards, id to version.
            blocked: Plugins that it must not load, with the reasons.
        """
        told = {
            "MAIBOT_IPC_ADDRESS": str(reception.address),
            "MAIBOT_SESSION_TOKEN": reception.token,
            "MAIBOT_PLUGIN_DIRS": str(reception.root),
            "MAIBOT_HOST_VERSION": shard.host_version,
            "MAIBOT_EXTERNAL_PLUGIN_IDS": json.dumps(dict(external)),
            "MAIBOT_BLOCKED_PLUGIN_REASONS": json.dumps(dict(blocked)),
            "MAIBOT_RUNNER_GROUP": shard.name,
        }
        become = (sys.executable, "-I", "-S", "-c", BECOME, str(channels.lifeline), str(self.directory))
        return Launch(
            command=(*become, *self.command),
            environment={**child_environment(os.environ, shard.settings.environment), **told},
            stdout=channels.stdout,
            stderr=channels.stderr,
            inherited=(channels.lifeline,),
            limits=shard.settings.limits,
            run=run,
        )


def original_of(settings: ShardSettings, state_dir: Path, beside: Path) -> OriginalRunner | None:
    """What a shard's settings ask for; ``None`` is rookery's own runner.

    Args:
        beside: The directory of the configuration, where it runs if nothing else is said.
    """
    if not settings.runner:
        return None
    return OriginalRunner(settings.runner, Path(settings.runner_directory or beside), state_dir)
