"""Newer code is tried beside the code that works: until all of it has come up, nothing happens to the old."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from rookery.protocol import AssignedPlugin
from tests.doubles.scripted_host import PLUGINS, ScriptedHost, assigned, assignment, open_runner

pytestmark = pytest.mark.slow

FEATURES = ("assignment", "loading", "logs", "ordered", "extend", "exchange")

HEAD = "import trio\nfrom rookery.runner import *\n\n\nclass It(Plugin):\n"

COUNTS = """
    number = 0

    async def on_load(self):
        {on_load}
        self.ctx.logger.info("loaded {version}")

    async def on_unload(self):
        self.ctx.logger.info("unloaded {version}")

    @tool("count")
    async def count(self):
        self.number += 1
        return ["{version}", self.number]
"""


class Written:
    """A plugin whose code a test writes."""

    def __init__(self, directory: Path, name: str, **manifest: str) -> None:
        self.plugin_id = f"test.{name}"
        self.path = directory / name
        self.path.mkdir()
        keys = "".join(f"{key} = {value}\n" for key, value in manifest.items())
        (self.path / "plugin.toml").write_text(
            f'[plugin]\nid = "{self.plugin_id}"\nversion = "1.0.0"\n{keys}'
        )
        self.write("old")

    def write(self, version: str, on_load: str = "pass", extra: str = "") -> None:
        code = HEAD + COUNTS.format(version=version, on_load=on_load) + extra
        (self.path / "plugin.py").write_text(code)

    @property
    def assigned(self) -> AssignedPlugin:
        return AssignedPlugin(plugin_id=self.plugin_id, path=str(self.path))


@pytest.fixture
def it(tmp_path: Path) -> Written:
    return Written(tmp_path, "it")


async def reload(host: ScriptedHost, plugin_id: str = "test.it") -> dict[str, Any]:
    return await host.ask("plugin.reload", plugin_id, plugin_id=plugin_id, timeout=20.0)


async def count(host: ScriptedHost, plugin_id: str = "test.it") -> Any:
    return await host.run(plugin_id, "count")


@pytest.mark.parametrize(
    ("on_load", "extra", "reason"),
    [
        pytest.param(
            "raise ValueError('no')", "", "ValueError: no (plugin.py line 10, in on_load)", id="raises"
        ),
        pytest.param("raise SystemExit(3)", "", "SystemExit: 3 (plugin.py line 10, in on_load)", id="exits"),
        pytest.param("await trio.sleep_forever()", "", "on_load took longer than 1 s", id="takes for ever"),
        pytest.param(
            "pass", "    broken = = 1\n", "SyntaxError: invalid syntax (plugin.py line 20)", id="no Python"
        ),
        pytest.param(
            "pass",
            "    import time; time.sleep(60)\n",
            "importing it took longer than 1 s (plugin.py line 20, in It)",
            id="blocks",
        ),
        pytest.param("pass", "    import no_such_thing\n", "(plugin.py line 20, in It)", id="no such module"),
        pytest.param(
            "pass", "    import sys; sys.exit()\n", "SystemExit (plugin.py line 20, in It)", id="exits early"
        ),
        pytest.param(
            "pass", "\n    @tool('count')\n    async def other(self): ...\n", "count", id="two of one name"
        ),
    ],
)
async def test_newer_code_that_fails_changes_nothing(
    it: Written, on_load: str, extra: str, reason: str
) -> None:
    """However it fails, the same instance goes on, with what it remembers; not even its on_unload has run."""
    async with open_runner(assignment(it.assigned, plugin_load_timeout=1.0), features=FEATURES) as host:
        await host.wait_ready()
        before = await count(host)
        it.write("new", on_load, extra)

        answer = await reload(host)

        after = await count(host)
    assert (before, after) == (["old", 1], ["old", 2])
    assert not answer["success"]
    assert answer["unloaded_plugins"] == []
    told = answer["failed_plugins"]["test.it"]
    assert reason in told
    assert told.endswith("(the running version goes on)")
    assert ("plugin.test.it", "unloaded old") not in host.logs


async def test_newer_code_that_the_host_refuses_changes_nothing(it: Written) -> None:
    """A registration that is not accepted is dropped, and the host is told so."""
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        await count(host)
        it.write("new")
        host.answers["plugin.register_components"] = lambda request: request.answer({"accepted": False})

        answer = await reload(host)

        after = await count(host)
    assert after == ["old", 2]
    assert "did not accept plugin.register_components" in answer["failed_plugins"]["test.it"]
    assert host.exchanges == [("test.it", "trial"), ("test.it", "dropped")]


async def test_the_old_code_answers_while_the_new_loads(it: Written) -> None:
    """No call waits for a slow on_load; afterwards the new code answers, and only then the old is told to end."""
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        it.write("new", on_load="await trio.sleep(0.5)")
        async with trio.open_nursery() as nursery:
            before = len(host.loading)
            nursery.start_soon(reload, host)
            await host.wait_until(lambda: ("test.it", "on_load") in host.loading[before:])

            meanwhile = await count(host)
            assert host.exchanges == [("test.it", "trial")]

        after = await count(host)
    assert (meanwhile, after) == (["old", 1], ["new", 1])
    assert host.exchanges == [("test.it", "trial"), ("test.it", "taken")]
    texts = [text for _, text in host.logs if "loaded" in text]
    assert texts == ["loaded old", "loaded new", "unloaded old"]


async def test_a_conversation_goes_on_in_the_new_code(it: Written) -> None:
    """Calls with one key that wait behind a handler of the old code run after it, in their order, and in the new."""
    turns = """
    @tool("turn")
    async def turn(self, name, seconds):
        await trio.sleep(seconds)
        self.ctx.logger.info("turn %s in {}", name)
"""
    it.write("old", extra=turns.format("old"))
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        it.write("new", extra=turns.format("new"))

        async def ask(name: str, seconds: float) -> None:
            told = {"component_name": "turn", "args": {"name": name, "seconds": seconds}}
            await host.ask("plugin.invoke_tool", "test.it", ordering_key="chat", **told)

        async with trio.open_nursery() as nursery:
            for name, seconds in (("slow", 0.4), ("b", 0.0), ("c", 0.0), ("d", 0.0)):
                nursery.start_soon(ask, name, seconds)
                await trio.testing.wait_all_tasks_blocked()  # sent in this order
            nursery.start_soon(reload, host)

        await host.wait_log("turn d")
    turns_taken = [text for _, text in host.logs if text.startswith("turn")]
    assert turns_taken == ["turn slow in old", "turn b in new", "turn c in new", "turn d in new"]


async def test_tasks_end_with_the_instance_that_started_them(it: Written) -> None:
    """Those of the old code end with it, those that the new one started in its on_load go on."""
    beats = """
    def beat(self, version):
        async def work():
            try:
                await trio.sleep_forever()
            finally:
                self.ctx.logger.info("task of %s ended", version)
        self.ctx.start_task(work)
"""
    it.write("old", on_load='self.beat("old")', extra=beats)
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        it.write("new", on_load='self.beat("new")', extra=beats)

        await reload(host)

        await host.wait_log("task of old ended")
        assert ("plugin.test.it", "task of new ended") not in host.logs


async def test_plugins_that_need_each_other_are_exchanged_together_and_others_alone(
    it: Written, tmp_path: Path
) -> None:
    """A dependent that fails keeps what it needs from being exchanged; a plugin that has nothing to do with it is."""
    needs = Written(tmp_path, "needs", dependencies='["test.it"]')
    alone = Written(tmp_path, "alone")
    three = [it, needs, alone]
    async with open_runner(assignment(*(each.assigned for each in three)), features=FEATURES) as host:
        await host.wait_ready()
        for each in three:
            each.write("new")
        needs.write("new", on_load="raise ValueError('no')")

        answer = await host.ask(
            "plugin.reload_batch", plugin_ids=[each.plugin_id for each in three], timeout=20.0
        )

        versions = [(await count(host, each.plugin_id))[0] for each in three]
    assert versions == ["old", "old", "new"]
    assert answer["reloaded_plugins"] == ["test.alone"]
    assert sorted(answer["failed_plugins"]) == ["test.it", "test.needs"]


@pytest.mark.parametrize("overlaps", [True, False])
async def test_a_plugin_says_whether_its_versions_overlap(it: Written, overlaps: bool) -> None:
    """One that does not is unloaded before its successor is loaded."""
    it.write("old", extra=f"    overlaps = {overlaps}\n")
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        it.write("new")

        answer = await reload(host)

        after = await count(host)
    texts = [text for _, text in host.logs if "loaded" in text]
    assert answer["success"]
    assert after == ["new", 1]
    order = ["loaded new", "unloaded old"] if overlaps else ["unloaded old", "loaded new"]
    assert texts == ["loaded old", *order]


async def test_a_gateway_is_never_there_twice(tmp_path: Path) -> None:
    """Two connections with one account would throw each other out."""
    it = Written(tmp_path, "it")
    gateway = '\n    @message_gateway("out", route_type="send", platform="x")\n    async def out(self, message): ...\n'
    it.write("old", extra=gateway)
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        it.write("new", extra=gateway)

        answer = await reload(host)

    assert answer["success"]
    assert [text for _, text in host.logs if "loaded" in text] == ["loaded old", "unloaded old", "loaded new"]


async def test_ids_that_differ_by_one_sign_keep_their_own_modules(tmp_path: Path) -> None:
    """W14: to reload one of them takes no module of the other away."""
    ids = ("test.it_one", "test.it-one")
    plugins = []
    for plugin_id in ids:
        shutil.copytree(PLUGINS / "good", tmp_path / plugin_id, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = tmp_path / plugin_id / "plugin.toml"
        manifest.write_text(manifest.read_text().replace("test.good", plugin_id))
        plugins.append(AssignedPlugin(plugin_id=plugin_id, path=str(manifest.parent)))
    async with open_runner(assignment(*plugins), features=FEATURES) as host:
        await host.wait_ready()
        words = tmp_path / ids[0] / "words.py"
        words.write_text(words.read_text().replace("hello", "howdy"))

        await reload(host, ids[0])

        greetings = [await host.run(plugin_id, "greet") for plugin_id in ids]
        modules = {(await host.run(plugin_id, "where"))["module"] for plugin_id in ids}
    assert greetings == ["howdy nobody", "hello nobody"]
    assert len(modules) == 2


async def test_a_call_in_the_old_code_may_use_the_new(it: Written) -> None:
    """What a handler of the old code waits for is answered by the new one: the old is let finish."""
    slow = (
        '\n    @tool("slow")\n    async def slow(self):\n        await trio.sleep(0.4)\n        return "{}"\n'
    )
    it.write("old", extra=slow.format("old"))
    ended: list[str] = []
    async with open_runner(assignment(it.assigned), features=FEATURES) as host:
        await host.wait_ready()
        it.write("new", extra=slow.format("new"))

        async def ask() -> None:
            ended.append(await host.run("test.it", "slow"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(reload, host)
            await host.wait_until(lambda: ("test.it", "taken") in host.exchanges)
            ended.append((await count(host))[0])

    assert ended == ["new", "old"]


async def test_nothing_is_loading_after_a_reload() -> None:
    """Whatever is written or dies later is not blamed on the plugin that was loaded last."""
    async with open_runner(assignment(assigned("good")), features=FEATURES) as host:
        await host.wait_ready()

        await host.ask("plugin.reload", "test.good", plugin_id="test.good")

        await host.wait_until(partial(_ends_idle, host))


def _ends_idle(host: ScriptedHost) -> bool:
    return host.loading[-1] == ("", "")
