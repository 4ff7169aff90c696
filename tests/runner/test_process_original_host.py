"""Any host of protocol 1.0.0 can start this runner."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubles.scripted_host import PLUGINS, open_original_runner

pytestmark = pytest.mark.slow


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A directory with a good plugin, one that needs it, a broken one, and things that are no plugins."""
    root = tmp_path / "plugins"
    for name in ("good", "needs_good", "syntax_error"):
        shutil.copytree(PLUGINS / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "data").mkdir()
    (root / "__pycache__").mkdir()
    (root / "notes.txt").write_text("")
    (root / "half" / "plugin.py").parent.mkdir()
    (root / "half" / "plugin.py").write_text("")
    return root


async def test_over_a_unix_socket(plugins: Path, state_dir: Path) -> None:
    """Plugins are found in the directories; the token goes into the hello; an orderly end is 0."""
    path = str(state_dir / "host.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    async with open_original_runner(listener, path, MAIBOT_PLUGIN_DIRS=str(plugins)) as host:
        ready = await host.wait_ready()
        result = await host.run("test.good", "greet")
        where = await host.run("test.good", "where")
        code = await host.shut_down()

    assert host.hello["session_token"] == "a token"
    assert ready.loaded_plugins == ["test.good", "test.needs_good"]
    assert list(ready.failed_plugin_reasons) == ["half", "test.syntax_error"]
    assert result == "hello nobody"
    assert where["environment"] == []
    assert code == 0
    assert host.loading == []


async def test_over_tcp(plugins: Path) -> None:
    """Host and port; several directories; blocked and external plugins."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    variables = {
        "MAIBOT_PLUGIN_DIRS": os.pathsep.join(["/nowhere", "", str(plugins)]),
        "MAIBOT_BLOCKED_PLUGIN_REASONS": json.dumps({"test.good": "it is on holiday"}),
        "MAIBOT_EXTERNAL_PLUGIN_IDS": "no json",
    }

    async with open_original_runner(listener, address, **variables) as host:
        ready = await host.wait_ready()
        _, remark = await host.wait_log("MAIBOT_EXTERNAL_PLUGIN_IDS")

    assert ready.loaded_plugins == []
    assert ready.failed_plugin_reasons["test.good"] == "it is on holiday"
    assert (
        ready.failed_plugin_reasons["test.needs_good"]
        == "needs the plugin test.good >=1.0, which cannot be loaded"
    )
    assert "must be a JSON object" in remark


async def test_a_plugin_in_two_places_is_in_none(plugins: Path) -> None:
    """Nobody can know which one was meant."""
    shutil.copytree(plugins / "good", plugins / "good_too")
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"

    async with open_original_runner(listener, address, MAIBOT_PLUGIN_DIRS=str(plugins)) as host:
        ready = await host.wait_ready()

    reason = ready.failed_plugin_reasons["test.good"]
    assert reason == f"stands in several directories: {plugins / 'good'}, {plugins / 'good_too'}"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("", ["test.good", "test.needs_good"], id="all"),
        pytest.param("not_adapter", ["test.good", "test.needs_good"], id="no adapters"),
        pytest.param("adapter", [], id="adapters only"),
        pytest.param("trusted_or_adapter", [], id="nothing is trusted"),
    ],
)
async def test_a_filter_chooses_by_type(plugins: Path, kind: str, expected: list[str]) -> None:
    """Two runners of one original host share the directories this way."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    variables = {"MAIBOT_PLUGIN_DIRS": str(plugins), "MAIBOT_PLUGIN_TYPE_FILTER": kind}

    async with open_original_runner(listener, address, **variables) as host:
        ready = await host.wait_ready()

    assert ready.loaded_plugins == expected


@pytest.mark.parametrize(
    ("address", "code", "expected"),
    [
        pytest.param("nonsense", 78, "neither a path of a Unix socket nor host:port", id="no address"),
        pytest.param(
            "/nowhere/host.sock", 77, "cannot reach the host at '/nowhere/host.sock'", id="nobody there"
        ),
    ],
)
def test_an_address_that_leads_nowhere(address: str, code: int, expected: str) -> None:
    """One line on standard error, and an exit code that tells a mistake from an absence."""
    variables = {"MAIBOT_IPC_ADDRESS": address, "MAIBOT_SESSION_TOKEN": "x"}

    done = subprocess.run(
        [sys.executable, "-m", "rookery.runner"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
