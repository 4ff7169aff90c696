"""Who builds the environments of a deployment's shards while the others run?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from .birth import RUNNER_COMMAND
from .environment import BUILD_TIMEOUT, Environment, NotBuilt, environment_of, with_command
from .shard_state import ShardState

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from .birth import Start
    from .process import Child, Launch
    from .settings import ShardSettings
    from .shard import Shard

_LOG = logging.getLogger(__name__)


class Environments:
    """The environments of one deployment.

    Args:
        start: Starts a runner on the host's own Python.
    """

    def __init__(self, state_dir: Path, start: Start) -> None:
        self._state_dir = state_dir
        self._start = start
        self._wanted, self._orders = trio.open_memory_channel[tuple[Environment, "Shard"]](float("inf"))
        self._building: set[Shard] = set()
        self._by_shard: dict[str, Environment] = {}
        self._shards: dict[str, Shard] = {}

    def start_of(self, shard: ShardSettings) -> Start:
        """What starts the runners of a shard."""
        environment = environment_of(shard, self._state_dir)
        if environment is None:
            return self._start
        self._by_shard[shard.name] = environment

        def start(launch: Launch) -> Child | Awaitable[Child]:
            try:
                moved = with_command(launch, environment, RUNNER_COMMAND)
            except OSError:  # not there any more, or never built: the next attempt may find it
                self.prepare(self._shards[shard.name])
                raise
            return self._start(moved)

        return start

    def prepare(self, shard: Shard) -> None:
        """Build what a shard needs, if that is not there; the shard waits for it."""
        self._shards[shard.name] = shard
        environment = self._by_shard.get(shard.name)
        if environment is None or environment.is_ready or shard in self._building:
            return
        shard.hold(BUILD_TIMEOUT, f"what {shard.settings.requirements} asks for is being installed")
        self._building.add(shard)
        self._wanted.send_nowait((environment, shard))

    async def run(self) -> None:
        """Build what is wanted, all at once, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for environment, shard in self._orders:
                nursery.start_soon(self._build, environment, shard, name=f"environment of {shard.name}")

    async def _build(self, environment: Environment, shard: Shard) -> None:
        began = trio.current_time()
        _LOG.info('shard "%s" waits for the packages of %s', shard.name, shard.settings.requirements)
        try:
            await environment.build()
        except NotBuilt as error:
            _LOG.error('shard "%s" cannot start: %s', shard.name, error)
            shard.release("its environment could not be built")
        else:
            took = trio.current_time() - began
            _LOG.info('shard "%s" has its packages after %.1f s', shard.name, took)
            if shard.state.value is ShardState.FAILED:
                shard.start("its environment is there")
            else:
                shard.release("its environment is there")
        finally:
            self._building.discard(shard)
