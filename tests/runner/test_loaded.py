"""A module becomes a plugin, or its author reads what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rookery.protocol import AssignedPlugin, Manifest, unstructure
from rookery.runner import DeclarationError, PluginConfigError, PluginFailed
from rookery.runner.loaded import LoadedPlugin, make_plugin
from tests.runner.makers import fake_host

HEAD = """
from __future__ import annotations
from rookery.runner import Field, Message, Plugin, PluginConfig, command, event_handler
"""

DICE = """
class DiceConfig(PluginConfig):
    sides: int = Field(6, ge=1)
class Dice(Plugin[DiceConfig]):
    @command("roll")
    async def roll(self, args: str) -> str:
        return args
"""


@pytest.fixture
def modules() -> Iterator[list[str]]:
    """Names of modules that go away with the test."""
    names: list[str] = []

    yield names

    for name in names:
        sys.modules.pop(name, None)


def a_module(code: str, modules: list[str]) -> ModuleType:
    module = ModuleType(f"test_loaded_module_{len(modules)}")
    module.__file__ = "/somewhere/plugin.py"
    modules.append(module.__name__)
    sys.modules[module.__name__] = module
    exec(compile(HEAD + code, module.__file__, "exec"), vars(module))
    return module


async def make(
    code: str, modules: list[str], path: str = "", commands: tuple[str, ...] = (), **config: Any
) -> LoadedPlugin:
    manifest = Manifest(
        plugin_id="test.dice", version="1.2.3", name="Dice", capabilities=("send.text",), commands=commands
    )
    assigned = AssignedPlugin(plugin_id="test.dice", path=path, config=config)
    async with fake_host() as host:
        pass  # nothing is asked of it
    return make_plugin(a_module(code, modules), manifest, host, assigned, config)


async def test_a_module_becomes_a_plugin(modules: list[str]) -> None:
    """With its configuration, its context and its components, and everything the host is told."""
    plugin = await make(DICE, modules, sides=8)

    assert (plugin.plugin_id, plugin.version, list(plugin.components)) == ("test.dice", "1.2.3", ["roll"])
    assert plugin.instance.config.sides == 8
    assert plugin.instance.ctx is plugin.ctx
    told = unstructure(plugin.registration())
    assert told["default_config"] == {"sides": 6}
    assert told["config_schema"]["sections"]["general"]["fields"]["sides"]["min"] == 1
    assert told["capabilities_required"] == ["send.text"]
    assert [component["name"] for component in told["components"]] == ["roll"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param(
            "x = 1", "plugin.py has no plugin: write `from rookery.runner import Plugin`", id="no class"
        ),
        pytest.param(
            "class A(Plugin): ...\nclass B(Plugin): ...",
            "has several plugins: A, B; keep one, or say which",
            id="two",
        ),
        pytest.param(
            "def create_plugin(): return 5", r"create_plugin\(\) of test.dice returned int", id="a number"
        ),
        pytest.param(
            "class A(Plugin):\n  @command('a')\n  async def a(self, mesage: str): ...",
            "A.a asks for 'mesage'",
            id="a signature",
        ),
    ],
)
async def test_what_is_no_plugin_is_explained(code: str, told: str, modules: list[str]) -> None:
    """With what to write."""
    with pytest.raises(DeclarationError, match=told):
        await make(code, modules)


async def test_a_prepared_class_beside_the_plugin_is_fine(modules: list[str]) -> None:
    """Only the most derived one is the plugin; an imported one is none."""
    plugin = await make("class A(Plugin): ...\nclass B(A): ...", modules)

    assert type(plugin.instance).__name__ == "B"


async def test_create_plugin_goes_first(modules: list[str]) -> None:
    """For modules that have reasons to choose."""
    plugin = await make(
        "class A(Plugin): ...\nclass B(Plugin): ...\ndef create_plugin(): return B()", modules
    )

    assert type(plugin.instance).__name__ == "B"


async def test_an_init_that_raises_is_the_plugins_failure(modules: list[str]) -> None:
    """With the line."""
    code = "class A(Plugin):\n  def __init__(self):\n    raise SystemExit(2)"

    with pytest.raises(PluginFailed, match=r"^SystemExit: 2 \(plugin\.py line 6, in __init__\)$"):
        await make(code, modules)


async def test_a_mistake_in_the_configuration_names_its_place(modules: list[str]) -> None:
    """The deployment's part, by its name in the file."""
    with pytest.raises(
        PluginConfigError, match=r'^\[plugins\."test\.dice"\.config\] of the deployment: sides: must be'
    ):
        await make(DICE, modules, sides=0)


async def test_an_upgrade_that_raises_is_the_plugins_failure(modules: list[str]) -> None:
    """It is the plugin's code."""
    code = """
class C(PluginConfig):
    config_version = 2
    @classmethod
    def upgrade(cls, values, version):
        raise KeyError("old")
class A(Plugin[C]): ...
"""

    with pytest.raises(PluginFailed, match=r"KeyError: 'old' \(plugin\.py line 9, in upgrade\)"):
        await make(code, modules, config_version=1)


async def test_a_broken_new_configuration_leaves_the_old_one(modules: list[str], tmp_path: Path) -> None:
    """A running plugin is not harmed by a typing mistake of its operator."""
    plugin = await make(DICE, modules, str(tmp_path), sides=8)

    with pytest.raises(PluginConfigError):
        plugin.replace_config({"sides": "many"})
    kept = plugin.instance.config.sides
    plugin.replace_config({"sides": 9})

    assert (kept, plugin.instance.config.sides) == (8, 9)


async def test_a_manifest_with_other_commands_is_told(
    modules: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The offline check goes by the manifest, so it has to be true."""
    await make(DICE, modules, commands=("rolll",))

    assert "plugin.toml says commands = ['rolll'], the code has ['roll']" in caplog.text
