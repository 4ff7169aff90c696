"""Which deployment is benchmarked? Plugins that do nothing, in shards that are given up for nothing."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import Shortcut

from .bench_cases import SHARDS, Runs, Work, topics
from .runtime import Runtime
from .settings import Settings, ShardSettings, ShardTimeouts
from .start_mode import StartMode
from .strategy import GroupSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .bench_cases import Case

PLUGINS = 4
"""In each of the shards that cases use; handlers are spread over them."""

MIXED_GROUPS = 8
MIXED_TOPIC = "bench.mixed"

ALL_TOPIC = "bench.all"
"""An event that every shard has one handler for."""

MANY_SHARDS = ("m1", "m2", "m3", "m4")
MANY_TOPICS = {Runs.QUICK: "bench.many.quick", Runs.ASYNC: "bench.many.async"}
MANY = 10_000
"""Handlers of one event of these; in several plugins, since one may not have so many."""

SPAWNED_SHARD = "spawned"
ASYNCIO_SHARD = "asyncio"
"""Its runner is never forked."""

START_SHARDS = {StartMode.ZYGOTE: "fork", StartMode.SPAWN: "spawn"}
"""Whose runners are started again and again, in that way."""

BARE_SHARD = "bare"
BARE = (Shortcut.ORDERED, Shortcut.STARTED, Shortcut.BEATS)
"""What its connection goes without: what it costs that order is kept, and that it is known what has begun and what hangs."""

FEW_SHARDS = (*SHARDS, SPAWNED_SHARD, ASYNCIO_SHARD, BARE_SHARD)
"""Those that all cases use, which are up from the beginning."""

WIDE_SHARDS = tuple(f"w{number:02}" for number in range(len(FEW_SHARDS) + 1, 65))
"""With them there are 64."""

TIMEOUTS = ShardTimeouts(hello=60.0, load=60.0, plugin_load=60.0, drain=3.0, term_grace=1.0, kill_wait=2.0)
"""Sixty runners that start at once on two cores need their time."""

MANIFEST = """\
[plugin]
id = "{plugin_id}"
version = "1.0.0"
name = "Bench"
description = "Does nothing, as fast as it can."
license = "Apache-2.0"
capabilities = []
"""


@attrs.frozen(kw_only=True)
class Handlers:
    """Some handlers of one plugin."""

    kind: str
    """``event`` or ``hook``."""
    name: str
    """Of the event or hook."""
    count: int
    runs: Runs = Runs.ASYNC


ONE_FOR_ALL = Handlers(kind="event", name=ALL_TOPIC, count=1)


def prepare_bench(directory: Path, cases: Iterable[Case], *, is_quick: bool) -> Settings:
    """Write the plugins of a benchmark and make its settings.

    Args:
        directory: Absolute; plugins are written below it, and the state is kept there.
        is_quick: Without the shards that only a whole run starts.
    """
    plugins = {name: _plugins_of(name, tuple(cases)) for name in SHARDS}
    plugins |= {name: {plugin_of(name): [ONE_FOR_ALL]} for name in (SPAWNED_SHARD, ASYNCIO_SHARD, BARE_SHARD)}
    plugins |= {name: {plugin_of(name): []} for name in START_SHARDS.values()}
    if not is_quick:
        plugins |= {name: _many_plugins(name) for name in MANY_SHARDS}
        plugins |= {name: {plugin_of(name): [ONE_FOR_ALL]} for name in WIDE_SHARDS}
    for found in plugins.values():
        for plugin_id, handlers in found.items():
            _write_plugin(directory / "plugins" / plugin_id, plugin_id, handlers)
    shards = tuple(
        ShardSettings(
            name=name,
            plugins=tuple(found),
            timeouts=TIMEOUTS,
            # Started by hand when the zygote is warm, so that it is known how.
            autostart=False,
            start=StartMode.SPAWN
            if name in (SPAWNED_SHARD, START_SHARDS[StartMode.SPAWN])
            else StartMode.ZYGOTE,
            without=BARE if name == BARE_SHARD else (),
            runtime=Runtime.ASYNCIO if name == ASYNCIO_SHARD else Runtime.TRIO,
        )
        for name, found in plugins.items()
    )
    return Settings(
        path=directory / "rookery.toml",
        name="bench",
        state_dir=directory,
        plugin_dirs=(directory / "plugins",),
        groups=(GroupSettings(start_concurrency=len(shards), start_stagger=0.0),),
        shards=shards,
    )


def plugin_of(shard: str) -> str:
    """A plugin of a shard that has tools to call."""
    return f"bench.{shard}1" if shard in SHARDS else f"bench.{shard}"


def _plugins_of(shard: str, cases: tuple[Case, ...]) -> dict[str, list[Handlers]]:
    place = SHARDS.index(shard)
    found: dict[str, list[Handlers]] = {f"bench.{shard}{number}": [] for number in range(1, PLUGINS + 1)}
    found[plugin_of(shard)].append(ONE_FOR_ALL)
    for case in topics(cases):
        kind = "event" if case.work is Work.EVENT else "hook"
        here = share(case.handlers, case.shards, place)
        for number, handlers in enumerate(found.values()):
            if count := share(here, PLUGINS, number):
                handlers.append(Handlers(kind=kind, name=case.topic, count=count, runs=case.runs))
    if any(case.work is Work.MIXED for case in cases):
        each = next(case.handlers for case in cases if case.work is Work.MIXED) // MIXED_GROUPS
        for number in range(place, MIXED_GROUPS, len(SHARDS)):
            # By its id, each is followed by one of the next shard.
            found[f"bench.mixed{number}"] = [Handlers(kind="hook", name=MIXED_TOPIC, count=each)]
    return found


def share(count: int, places: int, place: int) -> int:
    """How many of ``count`` come to one of several places, which are as full as each other; 0 beyond them."""
    return (count + places - 1 - place) // places if place < places else 0


def _many_plugins(shard: str) -> dict[str, list[Handlers]]:
    each = MANY // len(MANY_SHARDS) // 2
    return {
        f"bench.{shard}{kind.value}{half}": [Handlers(kind="event", name=topic, count=each, runs=kind)]
        for kind, topic in MANY_TOPICS.items()
        for half in (1, 2)
    }


def _write_plugin(directory: Path, plugin_id: str, handlers: list[Handlers]) -> None:
    directory.mkdir(parents=True)
    told: list[dict[str, Any]] = [attrs.asdict(each) for each in handlers]
    (directory / "plugin.toml").write_text(MANIFEST.format(plugin_id=plugin_id))
    (directory / "handlers.json").write_text(json.dumps(told))
    (directory / "plugin.py").write_bytes(_plugin_code().read_bytes())


def _plugin_code() -> Path:
    # As `find_bundled` does: nothing of the runner is imported by the host.
    spec = importlib.util.find_spec("rookery.runner")
    places = (spec and spec.submodule_search_locations) or ()
    return next(code for place in places if (code := Path(place, "bundled", "bench", "plugin.py")).is_file())
