"""Which deployment do the benchmarks of supervision run? Plugins written on the spot, each in a shard of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUICK = """
import trio
from rookery.runner import Plugin, tool


class It(Plugin):
    held = 0

    @tool("now")
    async def now(self) -> int:
        return 1

    @tool("hold")
    async def hold(self) -> None:
        self.held += 1
        await trio.sleep_forever()

    @tool("rest")
    async def rest(self, seconds: float = 1.0) -> int:
        await trio.sleep(seconds)
        return 1

    @tool("count_held")
    async def count_held(self) -> int:
        return self.held
"""
"""Answers at once, or never."""

NEVER_GIVEN_UP = """
[shard.restart]
backoff_base = 0.0001
backoff_max = 0.0001
burst_limit = 1000000
sustained_limit = 1000000
[shard.quarantine]
crash_limit = 1000000
long_crash_limit = 1000000
"""
"""However often its runner ends, each next one starts at once, as the first one does that follows an end by default."""


def write_bot(
    directory: Path,
    plugins: Mapping[str, str],
    *,
    timeouts: str = "",
    shard_more: str = "",
    group_more: str = "",
) -> Path:
    """Write a plugin ``bench.NAME`` in a shard NAME for each name and code; the path of the configuration.

    Args:
        timeouts: Lines of each shard's [shard.timeouts].
        shard_more: Further sections of each shard.
        group_more: Lines of the one group.
    """
    text = '[rookery]\nname = "bench"\nplugin_dirs = ["plugins"]\nstate_dir = "state"\n'
    text += f'[[group]]\nname = "plugins"\n{group_more}\n'
    for name, code in plugins.items():
        folder = directory / "plugins" / name
        folder.mkdir(parents=True)
        (folder / "plugin.toml").write_text(f'[plugin]\nid = "bench.{name}"\nversion = "1.0.0"\n')
        (folder / "plugin.py").write_text(code)
        text += f'[[shard]]\nname = "{name}"\nplugins = ["bench.{name}"]\n'
        text += f"[shard.timeouts]\n{timeouts}\n{shard_more}\n"
    path = directory / "rookery.toml"
    path.write_text(text)
    return path
