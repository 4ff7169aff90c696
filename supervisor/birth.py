"""How does a runner come into being: what connects it with its host, what it is started with, and a second attempt?

The second one follows when nobody knows what became of the first: an order that a zygote took and did not answer. Whatever may
have come of it has the descriptors of the first and carries its name, so that it talks to nobody and is ended.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import attrs
import trio

from .channels import Channels
from .isolation import child_environment, confine
from .page import Page, open_page
from .process import Child, Launch
from .runtime import Runtime
from .start_mode import StartMode
from .zygote import OrderLost

if TYPE_CHECKING:
    from .shard import Shard

RUNNER_COMMAND = (sys.executable, "-P", "-m", "rookery.runner")
"""``-P``: the directory that the host was started in is no place to import from."""

Start = Callable[[Launch], "Child | Awaitable[Child]"]
"""Starts a process; one that is forked takes some turns of the loop."""


@attrs.frozen
class Newborn:
    """A runner that was just started."""

    child: Child
    channels: Channels
    page: Page | None

    def close(self) -> None:
        """What connects it with its host; doing it twice is fine."""
        self.channels.close()
        if self.page is not None:
            self.page.close()


async def bear(shard: Shard, number: int) -> Newborn:
    """Start a runner. Not cancelled once it may be there.

    Args:
        number: Of the incarnation.

    Raises:
        OSError: It could not be started; nothing is left of it.
    """
    run = f"{shard.name}.{number}"
    may_be_forked = shard.settings.start is not StartMode.SPAWN and shard.runner_command == RUNNER_COMMAND
    try:
        return await _bear(shard, run, may_be_forked=may_be_forked)
    except OrderLost:
        return await _bear(shard, f"{run}b", may_be_forked=False)


async def _bear(shard: Shard, run: str, *, may_be_forked: bool) -> Newborn:
    with ExitStack() as on_failure:
        page = open_page(_slots_for(shard.settings.max_inflight))
        if page is not None:
            on_failure.callback(page.close)
        channels = Channels(shard.terminal if shard.settings.terminal else {}, page)
        on_failure.callback(channels.close)
        await trio.lowlevel.cancel_shielded_checkpoint()  # a start is a lot at once: others first
        made = shard.spawn(_launch(shard, run, channels, may_be_forked=may_be_forked))
        child: Child = await made if inspect.isawaitable(made) else made
        channels.close_child_ends()
        on_failure.pop_all()
    return Newborn(child, channels, page)


def _launch(shard: Shard, run: str, channels: Channels, *, may_be_forked: bool) -> Launch:
    descriptors = ["--link-fd", str(channels.link), "--lifeline-fd", str(channels.lifeline)]
    descriptors += ["--output-fds", f"{channels.out},{channels.err}"]
    if channels.page is not None:
        descriptors += ["--page-fd", str(channels.page), "--ping-fd", str(channels.ping)]
    if shard.settings.runtime is Runtime.ASYNCIO:
        descriptors += ["--runtime", Runtime.ASYNCIO]
    launch = Launch(
        command=(*shard.runner_command, *descriptors),
        environment=child_environment(os.environ, shard.settings.environment),
        stdout=channels.stdout,
        stderr=channels.stderr,
        inherited=channels.inherited,
        limits=shard.settings.limits,
        may_be_forked=may_be_forked,
        run=run,
    )
    return confine(launch)


def _slots_for(max_inflight: int) -> int:
    """Three for each call that can be open: both windows of the gate, and a few beside them."""
    return 3 * (2 * max_inflight + 16)
