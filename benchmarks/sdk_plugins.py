"""How soon are forty plugins of the public SDK ready in eight shards, and how much memory does each shard take?

An embedded host; the plugins are written here, each with a model of its configuration, a tool, a command and a background
task, as most public ones have. Runs once with each way to start runners.

    python benchmarks/sdk_plugins.py [--plugins 40] [--shards 8] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import trio

from rookery.supervisor import load_settings, open_supervisor

READY_GOAL = 3.0
"""Seconds until all are ready, on two cores."""

MANIFEST = {
    "manifest_version": 2,
    "version": "1.0.0",
    "name": "A plugin",
    "description": "for a benchmark",
    "license": "MIT",
    "author": {"name": "somebody", "url": "https://example.org"},
    "urls": {"repository": "https://example.org/repository"},
    "host_application": {"min_version": "1.0.0", "max_version": "99.0.0"},
    "sdk": {"min_version": "2.0.0", "max_version": "2.99.99"},
    "i18n": {"default_locale": "en"},
    "capabilities": ["send.text"],
}

CODE = """
import asyncio
from maibot_sdk import Command, Field, MaiBotPlugin, PluginConfigBase, Tool

class Section(PluginConfigBase):
    enabled: bool = Field(default=True)
    config_version: str = Field(default="1.0.0")

class Config(PluginConfigBase):
    plugin: Section = Field(default_factory=Section)

class It(MaiBotPlugin):
    config_model = Config

    async def on_load(self):
        self.ticking = asyncio.create_task(asyncio.sleep(3600))

    async def on_unload(self):
        self.ticking.cancel()

    async def on_config_update(self, scope, config_data, version):
        pass

    @Command("hi{number}", pattern=r"^/hi{number}$")
    async def hi(self, stream_id="", **kwargs):
        return True, "hi", 1

    @Tool("answer", description="answers")
    async def answer(self, **kwargs):
        return {number}

def create_plugin():
    return It()
"""


def write_bot(directory: Path, plugins: int, shards: int, start: str) -> Path:
    text = f'[rookery]\nname = "sdk"\nplugin_dirs = ["plugins"]\nstate_dir = "{directory}/state-{start}"\nstart = "{start}"\n'
    for number in range(plugins):
        place = directory / "plugins" / f"bench.p{number}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "_manifest.json").write_text(json.dumps({**MANIFEST, "id": f"bench.p{number}"}))
        (place / "plugin.py").write_text(CODE.replace("{number}", str(number)))
    for shard in range(shards):
        names = [f"bench.p{number}" for number in range(shard, plugins, shards)]
        text += f'[[shard]]\nname = "s{shard}"\nplugins = {names}\n'
    path = directory / f"{start}.toml"
    path.write_text(text)
    return path


def pss_of(pid: int) -> float:
    """Megabytes, what is shared counted in parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError("the kernel does not say")


async def measure(path: Path, plugins: int) -> tuple[float, list[float]]:
    """Seconds until all are ready, and the memory of each shard."""
    began = time.perf_counter()
    async with open_supervisor(load_settings(path)) as supervisor:
        await supervisor.wait_ready()
        took = time.perf_counter() - began
        answers = [await supervisor.invoke(f"bench.p{number}", "answer") for number in range(plugins)]
        if answers != list(range(plugins)):
            raise SystemExit(f"not every plugin answered: {answers}")
        return took, [pss_of(shard.pid) for shard in supervisor.shards.values() if shard.pid is not None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plugins", type=int, default=40)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    figures = {}
    with tempfile.TemporaryDirectory(prefix="rookery-sdk-") as name:
        for start in ("zygote", "spawn"):
            path = write_bot(Path(name), given.plugins, given.shards, start)
            took, memory = trio.run(measure, path, given.plugins)
            rows.append(
                (start, f"{took:.2f} s", f"{sum(memory) / len(memory):.1f} MB", f"{sum(memory):.0f} MB")
            )
            figures[start] = {"ready_s": took, "pss_mb": memory}
    print(f"{given.plugins} plugins of the SDK in {given.shards} shards; goal: ready in {READY_GOAL:g} s")
    for row in [("start", "all ready", "PSS a shard", "PSS of all"), *rows]:
        print("  ".join(f"{cell:<12}" for cell in row))
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
