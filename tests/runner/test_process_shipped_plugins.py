"""Everything that ships with rookery loads as it is written: the gateways and the plugins of the example."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.protocol import AssignedPlugin, Request, parse_manifest
from tests.doubles.scripted_host import assignment, open_runner

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/plugins/*/plugin.toml"))
GATEWAYS: dict[str, dict[str, object]] = {
    "rookery.console": {},
    "rookery.irc": {"server": "127.0.0.1", "port": 1, "nick": "rook", "channels": ["#test"]},
}


def _find_nothing(request: Request) -> None:
    request.answer({"success": True, "result": {"rows": []}})


def _assigned(path: Path, config: dict[str, object]) -> AssignedPlugin:
    manifest = parse_manifest(path.name, path.read_bytes())
    return AssignedPlugin(plugin_id=manifest.plugin_id, path=str(path.parent), config=config)


@pytest.mark.slow
async def test_the_examples_load() -> None:
    """What newcomers copy works."""
    plugins = [_assigned(path, {}) for path in EXAMPLES]

    async with open_runner(assignment(*plugins), answers={"cap.call": _find_nothing}) as host:
        ready = await host.wait_ready()

    assert ready.failed_plugin_reasons == {}
    assert len(ready.loaded_plugins) == len(EXAMPLES) > 0


@pytest.mark.slow
@pytest.mark.parametrize("plugin_id", GATEWAYS)
async def test_a_bundled_gateway_loads(plugin_id: str) -> None:
    """By path, as every plugin, with its neighbours imported relatively."""
    path = ROOT / "runner" / "bundled" / plugin_id.rpartition(".")[2] / "plugin.toml"

    async with open_runner(assignment(_assigned(path, dict(GATEWAYS[plugin_id])))) as host:
        ready = await host.wait_ready()
        code = await host.shut_down()

    assert ready.failed_plugin_reasons == {}
    assert ready.loaded_plugins == [plugin_id]
    assert code == 0
