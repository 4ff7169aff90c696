"""Do plugins that need different versions of one library live in one deployment, each shard with its own packages?"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
import trio

from rookery.supervisor import ConfigError, load_settings
from rookery.supervisor.environment import DIRECTORY, DONE
from rookery.supervisor.observers import RunnerDied
from rookery.supervisor.shard_state import ShardState
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

PLUGIN = """
@tool("which")
async def which(self):
    import thelib
    return thelib.VERSION
"""


def write_wheel(directory: Path, version: str) -> Path:
    """A library ``thelib`` that knows its version, as an installer takes it without any network."""
    directory.mkdir(exist_ok=True)
    path = directory / f"thelib-{version}-py3-none-any.whl"
    info = f"thelib-{version}.dist-info"
    files = {
        "thelib.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: thelib\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    made = Deployment(tmp_path, state_dir)
    for version, shard in (("1.0", "old"), ("2.0", "new")):
        wheel = write_wheel(tmp_path / "wheels", version)
        (tmp_path / f"{shard}.txt").write_text(f"{wheel}\n")
        made.plugin(shard, f"needs_{shard}", PLUGIN)
        made.tables[shard] = f'requirements = "{shard}.txt"'
    made.plugin("plain", "plain", '@tool("greet")\nasync def greet(self):\n    return "hello"')
    return made


async def test_two_versions_of_a_library_side_by_side(deployment: Deployment) -> None:
    """Built while the third shard serves already, found again at a restart, and by the next host."""
    async with deployment.run() as supervisor:
        assert await supervisor.invoke("test.plain", "greet") == "hello"
        found = [
            await supervisor.invoke(f"test.needs_{shard}", "which", timeout=25.0) for shard in ("old", "new")
        ]
        supervisor.restart_shard("old")
        await deployment.wait_told(RunnerDied)
        again = await supervisor.invoke("test.needs_old", "which", timeout=25.0)
    places = list((deployment.state / DIRECTORY).glob(f"*/{DONE}"))
    times = [place.stat().st_mtime_ns for place in places]
    async with deployment.run() as supervisor:
        later = await supervisor.invoke("test.needs_new", "which", timeout=25.0)

    assert (found, again, later) == (["1.0", "2.0"], "1.0", "2.0")
    assert [place.stat().st_mtime_ns for place in places] == times
    assert len(places) == 2


async def test_what_cannot_be_installed_is_named_and_costs_its_shard_alone(deployment: Deployment) -> None:
    """The installer's own words are the reason; the others serve; with a better list the shard comes up."""
    bad = deployment.directory / "old.txt"
    good = bad.read_text()
    deployment.tables["old"] += "\n[shard.restart]\nburst_limit = 0\n"
    bad.write_text("./no_such_wheel-1.0-py3-none-any.whl\n")
    async with deployment.run() as supervisor:
        died = await deployment.wait_told(RunnerDied, lambda died: died.report.shard == "old")
        answer = await supervisor.invoke("test.needs_new", "which", timeout=25.0)
        bad.write_text(good)
        supervisor.start_shard("old")
        with trio.fail_after(25):
            await supervisor.shards["old"].state.wait_value(ShardState.READY)
        repaired = await supervisor.invoke("test.needs_old", "which")

    assert "no_such_wheel" in died.report.describe()
    assert (answer, repaired) == ("2.0", "1.0")


async def test_an_interpreter_of_the_operators(deployment: Deployment, tmp_path: Path) -> None:
    """Any Python will do: rookery need not be installed for it. It is this one that runs, and no other shard's."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho ran >> {tmp_path}/ran\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    deployment.tables["plain"] = f'python = "{python}"'
    deployment.tables |= {"old": "autostart = false", "new": "autostart = false"}
    async with deployment.run() as supervisor:
        assert await supervisor.invoke("test.plain", "greet", timeout=25.0) == "hello"

    assert (tmp_path / "ran").read_text() == "ran\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('python = "/nowhere/python"', "'/nowhere/python', and there is no such file"),
        ('requirements = "none.txt"', "'none.txt', and there is no such file"),
        (f'python = "{sys.executable}"\nrequirements = "old.txt"', "requirements"),
    ],
)
def test_what_is_not_there_is_a_mistake_of_the_configuration(
    deployment: Deployment, table: str, said: str
) -> None:
    """Told before anything runs, with the key."""
    deployment.tables["plain"] = table

    with pytest.raises(ConfigError, match=r"shard\.plain") as refused:
        load_settings(deployment.write())

    assert said in str(refused.value)


async def test_a_plugin_reads_no_key_of_the_host(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forked and spawned; one shard is given what its operator names."""
    monkeypatch.setenv("SERVICE_API_KEY", "secret")
    monkeypatch.setenv("FOR_PLUGINS_X", "public")
    show = '@tool("show")\nasync def show(self):\n    import os\n    return sorted(os.environ)'
    deployment.plugin("forked", "forked", show)
    deployment.plugin("spawned", "spawned", show)
    deployment.tables["spawned"] = 'start = "spawn"\nenvironment = ["FOR_PLUGINS_*"]'
    deployment.tables |= {"old": "autostart = false", "new": "autostart = false"}
    async with deployment.run() as supervisor:
        forked, spawned = [await supervisor.invoke(f"test.{name}", "show") for name in ("forked", "spawned")]

    assert "PATH" in forked
    assert {"SERVICE_API_KEY", "FOR_PLUGINS_X"} & set(forked) == set()
    assert "FOR_PLUGINS_X" in spawned
    assert "SERVICE_API_KEY" not in spawned
