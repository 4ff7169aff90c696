"""Do plugins of others behave under this runner as they did under the one that they were written for?

Each recording holds what a plugin registered, what its components answered to fixed arguments, and which capabilities they
called, under the original runner and a host that gave fixed answers. The plugins are other people's and are not here: set
``ROOKERY_COMPAT_PLUGINS`` to a directory with one directory for each, and ``ROOKERY_COMPAT_RECORDINGS`` to that of the
recordings. Without them everything is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import Request
from tests.doubles.scripted_host import ScriptedHost, open_original_runner

pytestmark = pytest.mark.slow

PLUGINS, RECORDINGS = "ROOKERY_COMPAT_PLUGINS", "ROOKERY_COMPAT_RECORDINGS"


def _cases() -> list[Any]:
    plugins, recordings = os.environ.get(PLUGINS, ""), os.environ.get(RECORDINGS, "")
    if not plugins or not recordings:
        return [pytest.param("", "", marks=pytest.mark.skip(f"{PLUGINS} and {RECORDINGS} are not set"))]
    cases = []
    for path in sorted(Path(recordings).glob("*.json")):
        known = "invocations" in json.loads(path.read_text("utf-8"))
        directory = Path(plugins, path.stem)
        marks = [] if known and directory.is_dir() else [pytest.mark.skip(f"there is no {directory}")]
        if not known:
            marks = [pytest.mark.skip("a recording of another kind: a gateway and its platform")]
        cases.append(pytest.param(str(directory), str(path), id=path.stem, marks=marks))
    return cases


FIXED: dict[str, Any] = {
    "config.get": {"success": True, "value": "10000"},
    "config.get_plugin": {"success": True, "value": {}},
    "config.get_all": {"success": True, "value": {}},
    "person.get_id": {"success": True, "person_id": "p1"},
    "message.get_by_id": {"success": True, "message": None},
    "message.get_recent": {"success": True, "messages": []},
}
"""What the recording host answered; anything else got ``{"success": true}``."""


class Recorder:
    """Answers capability calls as the recording host did, and keeps them."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []

    def answer(self, request: Request) -> None:
        name, args = request.payload["capability"], request.payload["args"]
        self.calls.append([request.plugin_id, name, args])
        request.answer({"success": True, "result": FIXED.get(name, {"success": True})})

    def take(self) -> list[list[Any]]:
        taken, self.calls = self.calls, []
        return taken


@pytest.mark.parametrize(("directory", "recording"), _cases())
async def test_a_plugin_does_what_it_did(
    directory: str, recording: str, tmp_path: Path, state_dir: Path
) -> None:
    """The registration, every stable answer, and every call of a capability."""
    recorded = json.loads(Path(recording).read_text("utf-8"))
    root = tmp_path / "plugins"
    shutil.copytree(directory, root / Path(directory).name)
    recorder = Recorder()
    path = str(state_dir / "host.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    async with open_original_runner(
        listener,
        path,
        cwd=tmp_path,
        MAIBOT_PLUGIN_DIRS=str(root),
        MAIBOT_HOST_VERSION=recorded["host_version"],
    ) as host:
        host.answers["cap.call"] = recorder.answer
        ready = await host.wait_ready()
        assert ready.loaded_plugins == recorded["ready"]["loaded_plugins"], (
            ready.failed_plugin_reasons or host.logs
        )
        loading = recorder.take()
        differences = []
        for number, told in enumerate(recorded["invocations"]):
            if told["stable"]:
                differences += await _difference(host, recorder, number, told, ready.loaded_plugins[0])
        code = await host.shut_down()

    (registered,) = [payload for name, _, payload in host.requests if name == "plugin.register_components"]
    if recorded["register_stable"]:
        assert registered == recorded["register"]
    assert loading == recorded["on_load_calls"]
    assert differences == []
    assert code == 0


async def _difference(
    host: ScriptedHost, recorder: Recorder, number: int, told: dict[str, Any], plugin_id: str
) -> list[Any]:
    payload = {"component_name": told["component"], "args": told["args"]}
    answer = await host.ask(told["method"], plugin_id, **payload)
    found = {"payload": answer, "calls": recorder.take()}
    expected = {"payload": told["result"]["payload"], "calls": told["calls"]}
    return [] if found == expected else [(number, told["component"], found, expected)]
