"""How a test embeds a deployment, as a host application does: plugins written on the spot, real runner processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from rookery.protocol import MessageMap, build_message
from rookery.supervisor import Supervisor, load_settings, open_supervisor
from tests.doubles.deployments import write_config, write_plugin

PATIENCE = 30.0
"""Seconds after which a test gives a real process up."""


class Deployment:
    """A directory with plugins, one shard for each group.

    Attributes:
        records: Everything that the observers were told.
    """

    def __init__(self, directory: Path, state: Path) -> None:
        self.directory = directory
        self.state = state
        self.records: list[object] = []
        self._shards: dict[str, list[str]] = {}
        self.more = ""
        """Further text of the configuration."""
        self.shard_more = ""
        """Further text of each shard's section."""
        self.tables: dict[str, str] = {}
        """Further lines of single shards, by name."""

    def plugin(self, shard: str, name: str, body: str, **manifest: Any) -> None:
        """Add a plugin ``test.NAME`` whose class has this body."""
        code = "import trio\nfrom rookery.runner import *\n\n\nclass It(Plugin):\n"
        code += "\n".join(f"    {line}" for line in body.strip("\n").split("\n")) + "\n"
        self.module(shard, name, code, **manifest)

    def module(self, shard: str, name: str, code: str, **manifest: Any) -> None:
        """Add a plugin ``test.NAME`` whose module is this code."""
        write_plugin(self.directory, f"test.{name}", code=code, **manifest)
        self._shards.setdefault(shard, []).append(f"test.{name}")

    def place(self, shard: str, plugin_id: str) -> None:
        """A plugin that is written by somebody else lives in this shard."""
        self._shards.setdefault(shard, []).append(plugin_id)

    def write(self) -> Path:
        text = (
            f'[rookery]\nname = "test"\nplugin_dirs = ["plugins"]\nstate_dir = "{self.state}"\n{self.more}\n'
        )
        for name, plugins in self._shards.items():
            text += f'[[shard]]\nname = "{name}"\nplugins = {plugins}\n{self.tables.get(name, "")}\n'
            text += f"[shard.timeouts]\nplugin_load = 2.0\ndrain = 2.0\nterm_grace = 1.0\n{self.shard_more}\n"
        return write_config(self.directory, text)

    @asynccontextmanager
    async def run(self, **options: Any) -> AsyncIterator[Supervisor]:
        """Run it, wait until it is up, and be sure that it ends."""
        with trio.fail_after(PATIENCE):
            async with open_supervisor(
                load_settings(self.write()), observers=[self.records.append], **options
            ) as supervisor:
                await supervisor.wait_ready()
                yield supervisor

    def told(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    async def wait_told(self, kind: type, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first record of a kind that fits, now or later."""
        with trio.fail_after(PATIENCE):
            while not (found := [record for record in self.told(kind) if fits(record)]):
                await trio.sleep(0.01)  # a real process on the real clock
        return found[0]


def message(text: str = "hi", *, chat: str = "c", number: int = 1) -> MessageMap:
    return build_message(
        message_id=f"m{number}",
        platform="test",
        user_id="u",
        user_name="u",
        group_id=chat,
        text=text,
        timestamp=0.0,
    )
