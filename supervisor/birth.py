"""How does a runner come into being: what connects it with its host, what it is started with, and a second attempt?

The second one follows when nobody knows what became of the first: an order that a zygote took and did not answer. Whatever may
have come of it has the descriptors of the first and carries its name, so that it talks to nobody and is ended.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import Shortcut

from .channels import Channels
from .isolation import child_environment, confine
from .page import Page, open_page
from .process import Child, Launch
from .runtime import Runtime
from .start_mode import StartMode
from .zygote import OrderLost

if TYPE_CHECKING:
    from .original_runner import OriginalRunner
    from .shard import Shard

RUNNER_COMMAND = (sys.executable, "-P", "-m", "rookery.runner")
"""``-P``: the directory that the host was started in is no place to import from."""

_ON_PAGE = (Shortcut.STARTED, Shortcut.BEATS)
"""What a runner's page is for."""

NOTHING_BLOCKED: Mapping[str, str] = MappingProxyType({})

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


async def bear(shard: Shard, number: int, blocked: Mapping[str, str] = NOTHING_BLOCKED) -> Newborn:
    """Start a runner. Not cancelled once it may be there.

    Args:
        number: Of the incarnation.
        blocked: For one that is told so by its environment: plugins that it must not load, with the reasons.

    Raises:
        OSError: It could not be started; nothing is left of it.
    """
    run = f"{shard.name}.{number}"
    if shard.original is not None:
        return await _bear_original(shard, shard.original, number, blocked)
    may_be_forked = shard.settings.start is not StartMode.SPAWN and shard.runner_command == RUNNER_COMMAND
    try:
        return await _bear(shard, run, may_be_forked=may_be_forked)
    except OrderLost:
        return await _bear(shard, f"{run}b", may_be_forked=False)


async def _bear(shard: Shard, run: str, *, may_be_forked: bool) -> Newborn:
    with ExitStack() as on_failure:
        page = None
        if not set(shard.settings.without).issuperset(_ON_PAGE):
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


async def _bear_original(
    shard: Shard, original: OriginalRunner, number: int, blocked: Mapping[str, str]
) -> Newborn:
    run = f"{shard.name}.{number}"
    assignment = shard.assign(shard, number, dict(blocked))
    with ExitStack() as on_failure:
        channels = Channels({})
        on_failure.callback(channels.close)
        plugins = {each.plugin_id: each.path for each in assignment.plugins}
        reception = original.open_reception(run, plugins)
        channels.receive_at(reception)
        await trio.lowlevel.cancel_shielded_checkpoint()
        launch = original.launch(shard, run, channels, reception, assignment.external_plugins, blocked)
        made = shard.spawn(confine(launch))
        child: Child = await made if inspect.isawaitable(made) else made
        channels.close_child_ends()
        on_failure.pop_all()
    return Newborn(child, channels, None)


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
        link=channels.link,
        lifeline=channels.lifeline,
    )
    return confine(launch)


def _slots_for(max_inflight: int) -> int:
    """Three for each call that can be open: both windows of the gate, and a few beside them."""
    return 3 * (2 * max_inflight + 16)
