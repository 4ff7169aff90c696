"""What happens when somebody saves a file of a plugin: that plugin runs it a moment later, and nothing else notices.

Code is reloaded, a configuration is told without a reload. What is written twice, or written by a runner itself, means
nothing new to the plugin and is not told. One burst is worked on at a time and to its end, however long a plugin takes to load;
what is saved meanwhile is the next burst.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from .changed_files import Meaning, read_changes
from .file_changes import file_changes
from .host_log import SHOWN
from .reloading import BY_WATCHER

if TYPE_CHECKING:
    from .file_changes import Watch
    from .supervisor import Supervisor

_LOG = logging.getLogger("rookery.watch")

RETRY = 1.0
"""Seconds until watching begins again after it has failed."""


class PluginWatch:
    """Watches the plugins of a running deployment.

    Args:
        watch: How changes are learnt of; tests put others here.
    """

    def __init__(self, supervisor: Supervisor, *, watch: Watch = file_changes, retry: float = RETRY) -> None:
        self._supervisor = supervisor
        self._watch = watch
        self._retry = retry
        self._told: set[Path] = set()

    async def run(self) -> None:
        """Watch until cancelled. A failure of the watching is told, and it goes on."""
        while True:
            try:
                await self._watch_once()
            except (OSError, RuntimeError) as error:
                text = "watching the plugins failed: %s; what is saved now is seen from the next save on"
                _LOG.error(text, str(error) or type(error).__name__)
            await trio.sleep(self._retry)

    async def _watch_once(self) -> None:
        roots = [path.resolve() for path in self._supervisor.settings.all_plugin_dirs if path.is_dir()]
        plugins = self._plugins()
        outside = [path for path in plugins.values() if not any(map(path.is_relative_to, roots))]
        directories = sorted({*roots, *filter(Path.is_dir, outside)})
        _LOG.info("watching %s", ", ".join(map(str, directories)))
        async with aclosing(self._watch(directories)) as bursts:
            async for burst in bursts:
                await self._take(read_changes(burst, self._plugins(), roots))

    def _plugins(self) -> dict[str, Path]:
        installed = self._supervisor.parts.installed
        return {
            plugin_id: installed[plugin_id].path.resolve()
            for shard in self._supervisor.shards.values()
            for plugin_id in shard.plugins
            if plugin_id in installed
        }

    async def _take(self, meaning: Meaning) -> None:
        for directory in meaning.new:
            self._tell_new(Path(directory))
        if meaning.code:
            _LOG.info("saved: %s", ", ".join(meaning.code), extra=SHOWN)
            # Each by itself, though all in one order: one that fails keeps no other from being reloaded.
            await self._supervisor.reload_plugins(meaning.code, BY_WATCHER)
        for plugin_id in meaning.config:
            await self._supervisor.config_push.take_file(plugin_id, if_changed=True)

    def _tell_new(self, directory: Path) -> None:
        if directory not in self._told:
            self._told.add(directory)
            _LOG.warning(
                "%s is a plugin that this bot does not have: it is taken in when the bot is started again",
                directory,
            )
