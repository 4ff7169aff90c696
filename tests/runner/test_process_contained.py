"""What one plugin does at its start or at its end is its own affair: the others come up, and hear the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from rookery.protocol import AssignedPlugin
from tests.doubles.scripted_host import ScriptedHost, assigned, assignment, open_runner

pytestmark = pytest.mark.slow

HEAD = "import sys\nimport trio\nfrom rookery.runner import *\n\n\n"

BODY = """class It(Plugin):
    async def on_load(self):
        self.ctx.logger.info("loaded")

    async def on_unload(self):
        self.ctx.logger.info("unloaded")
"""


def written(directory: Path, name: str, code: str = BODY, *, data_dir: str = "") -> AssignedPlugin:
    path = directory / name
    path.mkdir()
    (path / "plugin.toml").write_text(f'[plugin]\nid = "test.{name}"\nversion = "1.0.0"\n')
    (path / "plugin.py").write_text(HEAD + code)
    return AssignedPlugin(plugin_id=f"test.{name}", path=str(path), data_dir=data_dir)


def texts(host: ScriptedHost, text: str) -> list[str]:
    """The loggers that have said this."""
    return [name for name, message in host.logs if message == text]


BROKEN = {
    "property_raises": BODY + "\n    @property\n    def gone(self):\n        raise SystemExit(1)\n",
    "init_raises": "class It(Plugin):\n    def __init__(self):\n        raise KeyboardInterrupt\n",
    "exits_at_import": "sys.exit(0)\n",
    "no_plugin": "x = 1\n",
    "factory_of_nothing": BODY + "\n\ndef create_plugin():\n    return None\n",
    "factory_exits": BODY + "\n\ndef create_plugin():\n    sys.exit(3)\n",
    "asks_for_its_directory": (
        "class It(Plugin):\n    async def on_load(self):\n        self.ctx.data_dir\n"
    ),
}
"""Those that are to fail; the first one only looks like it."""


async def test_no_plugin_ends_the_group_at_its_start(tmp_path: Path) -> None:
    """W20: whatever it raises while it is imported, made, looked through or given its directory is its own failure."""
    (tmp_path / "a file").write_text("")
    plugins = [
        written(tmp_path, name, code, data_dir=str(tmp_path / "a file" / "data"))
        for name, code in BROKEN.items()
    ]
    async with open_runner(assignment(*plugins, assigned("good"))) as host:
        ready = await host.wait_ready()

    assert sorted(ready.loaded_plugins) == ["test.good", "test.property_raises"]
    reasons = ready.failed_plugin_reasons
    assert sorted(reasons) == sorted(f"test.{name}" for name in BROKEN if name != "property_raises")
    assert "SystemExit" in reasons["test.exits_at_import"]
    assert "KeyboardInterrupt" in reasons["test.init_raises"]
    assert "has no plugin" in reasons["test.no_plugin"]
    assert "returned NoneType" in reasons["test.factory_of_nothing"]
    assert "cannot be made" in reasons["test.asks_for_its_directory"]


async def test_many_plugins_all_hear_the_end_and_dependents_first(tmp_path: Path) -> None:
    """W15: unloading asks the host nothing, so that the time that it grants is all for the plugins."""
    plugins = [written(tmp_path, f"it{number:02}") for number in range(40)]
    for number in (3, 30):
        manifest = Path(plugins[number].path, "plugin.toml")
        manifest.write_text(manifest.read_text() + f'dependencies = ["{plugins[20].plugin_id}"]\n')
    async with open_runner(assignment(*plugins)) as host:
        ready = await host.wait_ready()
        before = len(host.requests)

        code = await host.shut_down()

    ended = [name.removeprefix("plugin.") for name in texts(host, "unloaded")]
    assert code == 0
    assert ended == list(reversed(ready.loaded_plugins))
    assert len(ended) == 40
    assert max(ended.index("test.it03"), ended.index("test.it30")) < ended.index("test.it20")
    assert host.requests[before:] == []


async def test_a_signal_is_an_end_like_any_other(tmp_path: Path) -> None:
    """W15: every on_unload runs, also when nobody has asked over the connection."""
    async with open_runner(assignment(written(tmp_path, "a"), written(tmp_path, "b"))) as host:
        await host.wait_ready()
        host.process.terminate()

        code = await host.wait_exit()
        await trio.testing.wait_all_tasks_blocked()

    assert code == 0
    assert len(texts(host, "unloaded")) == 2


@pytest.mark.parametrize("fails", ["plugin.bootstrap", "plugin.register_components"])
async def test_what_was_never_loaded_is_not_unloaded(tmp_path: Path, fails: str) -> None:
    """W32: a plugin that the host refused has heard of no beginning, so it hears of no end; its grants are taken back."""
    refusing = {fails: lambda request: request.answer({"accepted": False})}
    async with open_runner(assignment(written(tmp_path, "it")), answers=refusing) as host:
        ready = await host.wait_ready()

    assert ready.failed_plugins == ["test.it"]
    assert texts(host, "loaded") == texts(host, "unloaded") == []
    methods = [method for method, plugin_id, _ in host.requests if plugin_id == "test.it"]
    assert methods[-2:] == ["plugin.unregister", "plugin.bootstrap"]


async def test_a_plugin_whose_on_load_fails_is_not_unloaded(tmp_path: Path) -> None:
    """W32: what it has begun is its own to end; it is cancelled, and forgotten at the host."""
    code = BODY.replace('        self.ctx.logger.info("loaded")', "        raise ValueError()")
    async with open_runner(assignment(written(tmp_path, "it", code))) as host:
        ready = await host.wait_ready()

    assert ready.failed_plugins == ["test.it"]
    assert texts(host, "unloaded") == []
