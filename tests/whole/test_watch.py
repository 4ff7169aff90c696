"""Whoever saves a file of a plugin sees its plugin run it a moment later, and nothing else."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.file_changes import Changes, changes_by_looking, file_changes
from rookery.supervisor.observers import CapabilitiesHeld, LogWritten, PluginReloaded, PluginReloadFailed
from rookery.supervisor.plugin_watch import PluginWatch
from tests.whole.deployment import start
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow

MODULE = """
from rookery.runner import *


class ItConfig(PluginConfig):
    config_version = 2
    name: str = Field("nobody", "Who is greeted.")

    @classmethod
    def upgrade(cls, values, version):
        return values


class It(Plugin[ItConfig]):
    async def on_config_update(self):
        self.ctx.logger.info("update: %s", self.config.name)

    @tool("which")
    async def which(self):
        return ["old", self.config.name]
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    deployment = Deployment(tmp_path, state_dir)
    for name in ("it", "other"):
        deployment.module("one", name, MODULE)
    return deployment


def code_of(deployment: Deployment, name: str = "it") -> Path:
    return deployment.directory / "plugins" / f"test.{name}" / "plugin.py"


def save(path: Path, before: str, after: str) -> None:
    """As an editor does it: a new file is put into the old one's place."""
    new = path.with_suffix(".tmp~")
    new.write_text(path.read_text().replace(before, after))
    os.replace(new, path)


@attrs.frozen
class Worked:
    """A burst has been worked on."""

    paths: set[Path]


@asynccontextmanager
async def watched(deployment: Deployment, by: str = "kernel") -> AsyncIterator[Supervisor]:
    """A deployment whose plugins are watched, from the moment on at which a change is seen."""
    seen = trio.Event()
    probe = deployment.directory / "plugins" / "test.it" / "probe.py"

    async def watch(directories: Iterable[Path]) -> Changes:
        changes = (
            file_changes(directories) if by == "kernel" else changes_by_looking(directories, period=0.05)
        )
        async with aclosing(changes):
            async for burst in changes:
                if probe in burst:
                    seen.set()
                if rest := burst - {probe}:
                    yield rest
                    deployment.records.append(Worked(rest))  # asked for the next one

    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(PluginWatch(supervisor, watch=watch, retry=0.05).run)
        while not seen.is_set():  # nobody says when the kernel has begun to look
            probe.write_text(f"# {trio.current_time()}")
            await trio.sleep(0.1)
        yield supervisor
        nursery.cancel_scope.cancel()


async def eventually(supervisor: Supervisor, name: str, expected: object) -> None:
    with trio.fail_after(PATIENCE):
        while (await supervisor.invoke(f"test.{name}", "which")) != expected:
            await trio.sleep(0.02)  # a real process on the real clock


@pytest.mark.parametrize("by", ["kernel", "looking"])
async def test_a_saved_plugin_is_reloaded_and_no_other(deployment: Deployment, by: str) -> None:
    """One save is one reload, of the plugin that the file belongs to."""
    async with watched(deployment, by) as supervisor:
        pid = supervisor.shards["one"].pid

        save(code_of(deployment), '"old"', '"new"')

        await eventually(supervisor, "it", ["new", "nobody"])
        await eventually(supervisor, "other", ["old", "nobody"])
        assert supervisor.shards["one"].pid == pid
    assert [each.plugin_id for each in deployment.told(PluginReloaded)] == ["test.it"]
    assert deployment.told(PluginReloaded)[0].reason == "file_watcher"


async def test_many_saves_at_once_are_few_reloads(deployment: Deployment) -> None:
    """What is saved while a plugin is being reloaded is seen afterwards: the last save wins."""
    async with watched(deployment, "looking") as supervisor:
        for number in range(30):
            save(code_of(deployment), '"old"' if number == 0 else f'"new {number - 1}"', f'"new {number}"')
            await trio.sleep(0.01)

        await eventually(supervisor, "it", ["new 29", "nobody"])
    assert len(deployment.told(PluginReloaded)) < 15


async def test_a_broken_save_costs_nothing_and_the_next_one_counts(deployment: Deployment) -> None:
    """The reason is told, with its line."""
    async with watched(deployment) as supervisor:
        save(code_of(deployment), "async def which(self):", "async def which(self:")
        failed = await deployment.wait_told(PluginReloadFailed)
        await eventually(supervisor, "it", ["old", "nobody"])

        save(code_of(deployment), "async def which(self:", "async def which(self): #")
        save(code_of(deployment), '"old"', '"new"')

        await eventually(supervisor, "it", ["new", "nobody"])
    assert "(plugin.py line 19)" in failed.error


async def test_a_saved_configuration_is_told_and_nothing_is_reloaded(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is broken is told with its line; one that is saved as it was, or is written anew by the runner, is no news."""
    config = code_of(deployment).with_name("config.toml")
    config.write_text('config_version = 1\nname = "x"\n')
    async with watched(deployment) as supervisor:
        config.write_text(config.read_text() + "# a comment\n")
        config.write_text('name = "brok')
        with trio.fail_after(PATIENCE):
            while "was not taken" not in caplog.text:
                await trio.sleep(0.02)
        await eventually(supervisor, "it", ["old", "x"])
        config.write_text('name = "you"\n')

        await eventually(supervisor, "it", ["old", "you"])
    assert "config.toml, line 1, column" in caplog.text
    assert deployment.told(PluginReloaded) == []
    updates = [each.text for each in deployment.told(LogWritten) if each.text.startswith("update")]
    assert updates == ["update: you"]


async def test_what_a_runner_writes_itself_is_no_news(deployment: Deployment) -> None:
    """W21: newer code has its file written anew, and its plugin is not told of its own configuration."""
    config = code_of(deployment).with_name("config.toml")
    config.write_text('config_version = 2\nname = "x"\n')
    async with watched(deployment) as supervisor:
        save(code_of(deployment), "config_version = 2", "config_version = 3")
        await deployment.wait_told(Worked, lambda worked: config in worked.paths)
        assert "config_version = 3" in config.read_text()
        config.write_text('config_version = 3\nname = "you"\n')

        await eventually(supervisor, "it", ["old", "you"])
    updates = [each.text for each in deployment.told(LogWritten) if each.text.startswith("update")]
    assert updates == ["update: you"]


async def test_a_saved_configuration_switches_a_plugin_off_and_on(deployment: Deployment) -> None:
    """It is unloaded, and loaded again."""
    config = code_of(deployment).with_name("config.toml")
    async with watched(deployment) as supervisor:
        config.write_text("[plugin]\nenabled = false\n")
        with trio.fail_after(PATIENCE):
            while "test.it" in supervisor.shards["one"].loaded:
                await trio.sleep(0.02)
        config.write_text("[plugin]\nenabled = true\n")
        with trio.fail_after(PATIENCE):
            while "test.it" not in supervisor.shards["one"].loaded:
                await trio.sleep(0.02)

        await eventually(supervisor, "it", ["old", "nobody"])


async def test_a_slow_reload_is_never_left_half_way(deployment: Deployment) -> None:
    """W9: however long a plugin takes to load, and however often it is saved meanwhile."""
    async with watched(deployment, "looking") as supervisor:
        save(
            code_of(deployment),
            "    async def on_config_update",
            "    async def on_load(self):\n        import trio; await trio.sleep(1)\n\n    async def on_config_update",
        )
        save(code_of(deployment), '"old"', '"slow"')
        await trio.sleep(0.5)
        save(code_of(deployment), '"slow"', '"last"')

        await eventually(supervisor, "it", ["last", "nobody"])
    assert deployment.told(PluginReloadFailed) == []


async def test_a_plugin_that_is_not_trusted_cannot_grant_itself_more(deployment: Deployment) -> None:
    """It could write its own manifest: neither a saved file nor an order to reload approves what it asks for now."""
    deployment.tables["one"] = 'trust = "guest"\nown_user = false\n'
    deployment.more = '[grants.guest]\nallow = ["chat.*"]\n'
    manifest = code_of(deployment).with_name("plugin.toml")
    async with watched(deployment, "looking") as supervisor:
        grants = supervisor.parts.grants
        manifest.write_text(f'{manifest.read_text()}capabilities = ["chat.get_all_streams"]\n')
        await deployment.wait_told(PluginReloaded)
        by_watcher = grants.allows("test.it", "chat.get_all_streams")
        await supervisor.reload_plugin("test.it")
        by_hand = grants.allows("test.it", "chat.get_all_streams")

    assert (by_watcher, by_hand) == (False, False)
    assert [told.capabilities for told in deployment.told(CapabilitiesHeld)] == [("chat.get_all_streams",)]


async def test_a_new_plugin_is_told(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    """Once; where it is to live is decided when the bot starts."""
    caplog.set_level(logging.WARNING, "rookery.watch")
    async with watched(deployment):
        shutil.copytree(code_of(deployment).parent, deployment.directory / "plugins" / "new")
        with trio.fail_after(PATIENCE):
            while not caplog.records:
                await trio.sleep(0.02)

    assert "is a plugin that this bot does not have" in caplog.text


async def test_a_failure_of_the_watching_is_told_and_it_goes_on(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to start the bot again."""
    bursts = iter([OSError(28, "inotify watch limit reached"), RuntimeError("an internal error"), None])

    async def watch(_: Iterable[Path]) -> Changes:
        error = next(bursts)
        if error is not None:
            raise error
        yield {code_of(deployment).resolve()}
        await trio.sleep_forever()

    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        code_of(deployment).write_text(MODULE.replace('"old"', '"new"'))
        nursery.start_soon(PluginWatch(supervisor, watch=watch, retry=0.0).run)

        await eventually(supervisor, "it", ["new", "nobody"])
        nursery.cancel_scope.cancel()
    assert "inotify watch limit reached" in caplog.text
    assert "an internal error" in caplog.text


async def test_the_command_line_watches(deployment: Deployment, tmp_path: Path) -> None:
    """`rookery run --watch`: the terminal tells what was saved and what runs now."""
    config = deployment.write()
    with (tmp_path / "err").open("wb") as err:
        process = start("run", config, "--watch", state=tmp_path, stderr=err)
        try:
            with trio.fail_after(PATIENCE):
                while "ready in" not in (text := (tmp_path / "err").read_text()):
                    assert process.poll() is None, text
                    await trio.sleep(0.02)
                while "runs its newer code" not in (text := (tmp_path / "err").read_text()):
                    code_of(deployment).write_text(f"{MODULE}\n# {trio.current_time()}\n")
                    await trio.sleep(0.3)
        finally:
            process.terminate()
            with trio.fail_after(PATIENCE):
                while process.poll() is None:
                    await trio.sleep(0.02)
    assert "saved: test.it" in text
    assert "plugin test.it runs its newer code, version 1.0.0" in text
    assert process.returncode == 0
