"""How does everything live together: the root nursery, the order of starting, and the order of stopping?

```
open_supervisor()
 └ state directory: lock, custody of all processes, store
    └ root nursery
       ├ control endpoint, capability table, dispatcher, inbox, answers, reaper
       └ shard nursery: one Shard.run each
```

Stopping goes the other way round: nothing new is taken in, what is in flight ends, plugins are unloaded, gateways last,
then everything else. Leaving the context is the only way to stop, and every step of it is bounded.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from .account_record import restore_accounts
from .audit import open_audit
from .birth import RUNNER_COMMAND
from .catalog import find_plugins
from .confiner import open_confiner
from .control import serve_control
from .control_commands import command_table
from .crash_report import CRASH_DIRECTORY, CrashReports
from .custody import open_custody
from .errors import UsageError
from .event_names import ON_START
from .grant_review import review_grants
from .host_checks import check_host
from .isolation import hide_variables
from .opened_chats import restore_opened_chats
from .planning import make_plan, wants_zygote
from .run_lock import hold_run_lock
from .runtime import preloads_of
from .state_directory import make_state_dir
from .store import open_store
from .supervisor import Supervisor
from .switch_record import restore_switches
from .tracing import closed_to_tracers
from .watchdog import LAG_GUARD, Watchdog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from .application import Process
    from .catalog import Catalog
    from .hook_spec import HookSpec
    from .settings import Settings
    from .shard import Shard

_LOG = logging.getLogger("rookery.grants")

STORE_FILE = "store.db"

GREETING_PATIENCE = 10.0
"""Seconds that handlers which may stop ``on_start`` hold messages up at most."""

START_PATIENCE = 60.0
"""Seconds after which messages are processed although a shard is still not up; its calls then wait for it."""


@asynccontextmanager
async def open_supervisor(
    settings: Settings,
    *,
    catalog: Catalog | None = None,
    process: Process | None = None,
    hooks: Iterable[HookSpec] = (),
    observers: Sequence[Callable[[object], None]] = (),
    terminal: Mapping[str, int] | None = None,
    owns_process: bool = False,
) -> AsyncIterator[Supervisor]:
    """Run a deployment for as long as the block runs.

    Entering returns as soon as the runners are being started; ``wait_ready`` waits for them. Leaving stops everything in
    order, within the time-outs of the shards. What raises inside the block comes out in an ``ExceptionGroup``.

    Args:
        catalog: The installed plugins; ``None`` looks for them where the settings say.
        process: What to do with each message from outside, in place of the default pipeline.
        hooks: Points of the application's own flow, which plugins may then register for.
        observers: Called with every record of `observers.py`, synchronously; they must be quick.
        terminal: ``stdin`` and ``stdout`` as descriptor numbers, for the shard that has the terminal.
        owns_process: Nobody else starts children in this process: one that nobody knows is then a plugin's, and is reaped.

    Raises:
        ConfigError: The plugins cannot be placed.
        UsageError: The state directory is in use, or cannot be used; or this process ignores SIGCHLD.
    """
    check_host()
    catalog = find_plugins(settings) if catalog is None else catalog
    plan = make_plan(settings, catalog)
    for warning in review_grants(settings, catalog, plan):
        _LOG.warning("%s", warning)
    hide_variables(settings.llm.key_variables)
    _make_state_dir(settings)
    confiner = await open_confiner(settings)  # tries bubblewrap, whose first process nobody is to adopt
    with closed_to_tracers(), hold_run_lock(settings.state_dir), open_audit(settings.state_dir) as audit:
        async with (
            open_custody(
                settings.state_dir,
                owns_process=owns_process,
                forks=RUNNER_COMMAND if wants_zygote(settings, plan) else (),
                preloads=preloads_of(each.manifest for each in catalog.plugins.values()),
            ) as custody,
            open_store(settings.state_dir / STORE_FILE) as store,
        ):
            supervisor = Supervisor(
                settings,
                catalog,
                plan,
                store,
                custody,
                confiner=confiner,
                process=process,
                observers=observers,
                terminal=terminal or {},
            )
            for spec in hooks:
                supervisor.register_hook(spec)
            async with trio.open_nursery() as root:
                supervisor.parts.observers.add(audit.note)
                root.start_soon(audit.run)
                await _start_services(root, supervisor)
                try:
                    async with trio.open_nursery() as shards:
                        with supervisor.starting_shards(partial(_run_shard, shards, supervisor)):
                            try:
                                yield supervisor
                            finally:
                                with trio.CancelScope(shield=True):
                                    await supervisor.stop()
                finally:
                    supervisor.parts.dispatcher.close()
                    root.cancel_scope.cancel()


def _run_shard(nursery: trio.Nursery, supervisor: Supervisor, shard: Shard) -> None:
    nursery.start_soon(shard.run, supervisor.groups, name=f"shard {shard.name}")


async def _start_services(root: trio.Nursery, supervisor: Supervisor) -> None:
    parts = supervisor.parts
    reports = CrashReports(supervisor.settings.state_dir / CRASH_DIRECTORY)
    parts.observers.add(reports.observe)
    root.start_soon(reports.run)
    root.start_soon(supervisor.custody.run)
    root.start_soon(supervisor.environments.run)
    await root.start(partial(serve_control, supervisor.settings.state_dir, command_table(supervisor)))
    await root.start(parts.capabilities.run)
    await root.start(parts.models.run)
    await root.start(parts.fetcher.run)
    await root.start(supervisor.renderer.run)
    root.start_soon(parts.approvals.run)
    root.start_soon(parts.dispatcher.run)
    root.start_soon(parts.answers.run)
    root.start_soon(parts.statistics.run)
    parts.managing.reload = supervisor.reload_plugin
    parts.managing.write_config = supervisor.config_push.set_value
    parts.config_over = supervisor.config_push.values_of
    parts.managing.write_config = supervisor.config_push.set_value
    await restore_switches(parts.store, parts.registry.switches)
    await restore_opened_chats(parts.store, parts.sessions)
    await restore_accounts(parts.store, parts.entrance.accounts)
    root.start_soon(supervisor.groups.run)
    root.start_soon(supervisor.reloading.run)
    watchdog = Watchdog(
        lambda: supervisor.shards.values(), guard=_lag_guard(supervisor), on_look=supervisor.note_lag
    )
    root.start_soon(watchdog.run)
    root.start_soon(_open_inbox, supervisor)


def _lag_guard(supervisor: Supervisor) -> float:
    """The strictest of the shards': one clock is enough for all."""
    guards = (shard.settings.health.lag_guard for shard in supervisor.shards.values())
    return min(guards, default=LAG_GUARD)


async def _open_inbox(supervisor: Supervisor) -> None:
    with trio.move_on_after(START_PATIENCE):
        await supervisor.wait_ready()
    events = supervisor.parts.events
    if events.has_handlers(ON_START):
        with trio.move_on_after(GREETING_PATIENCE):
            await events.dispatch(ON_START)
    supervisor.parts.inbox.open()


def _make_state_dir(settings: Settings) -> None:
    try:
        make_state_dir(settings.state_dir)
    except OSError as error:
        raise UsageError(
            f"the state directory {settings.state_dir} cannot be made: {error.strerror}; choose another state_dir"
        ) from None
