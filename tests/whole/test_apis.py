"""Plugins in different runners call each other: by names and versions, in their time, in no circle, and what they offer changes.

Real runners, real links.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from rookery.supervisor.fate import DispatchFailed
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow

LENDS = """
@api("double", public=True)
async def double(self, number: int) -> int:
    return 2 * number

@api("double", version="2", public=True)
async def double_again(self, number: float) -> float:
    return 2.0 * number

@api("secret")
async def secret(self) -> str:
    return "told"

@api("hang", public=True, timeout=600.0)
async def hang(self) -> None:
    try:
        await trio.sleep_forever()
    finally:
        (self.ctx.data_dir / "cancelled").write_text("yes")

@api("die", public=True)
async def die(self) -> None:
    import os
    os.kill(os.getpid(), 9)
"""

ASKS = """
@tool(description="")
async def ask(self, name: str, version: str = "", args: dict | None = None, timeout: float = 20.0) -> object:
    try:
        return await self.ctx.api.call(name, version=version, timeout=timeout, **(args or {}))
    except CapabilityFailed as failed:
        return [failed.kind, failed.maybe_executed, str(failed)]

@tool(description="")
async def ask_often(self, times: int) -> object:
    answers = []

    async def one(number: int) -> None:
        answers.append(await self.ctx.api.call("test.lends.double", version="1", number=number))

    async with trio.open_nursery() as nursery:
        for number in range(times):
            nursery.start_soon(one, number)
    return sum(answers)

@tool(description="")
async def look(self, name: str) -> object:
    return [await self.ctx.api.get(name), [each["full_name"] for each in await self.ctx.api.list()]]
"""

DYNAMIC = """
async def on_load(self) -> None:
    await self.ctx.api.replace_dynamic([DynamicApi("early", self.echo, public=True)])

async def echo(self, **given: object) -> object:
    return sorted(given)

@tool(description="")
async def offer(self, names: list, reason: str = "") -> object:
    apis = [DynamicApi(name, self.echo, public=True) for name in names]
    try:
        return await self.ctx.api.replace_dynamic(apis, offline_reason=reason)
    except CapabilityFailed as failed:
        return str(failed)

@api("fixed", public=True)
async def fixed(self) -> str:
    return "fixed"
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


async def test_plugins_of_different_runners_call_each_other(deployment: Deployment) -> None:
    """By short and full names, in the version that they name; what is private stays so."""
    deployment.plugin("one", "asks", ASKS, capabilities=["api.*"])
    deployment.plugin("two", "lends", LENDS)
    async with deployment.run() as supervisor:

        async def ask(name: str, **more: object) -> object:
            return await supervisor.invoke("test.asks", "ask", {"name": name, **more})

        full = await ask("test.lends.double@1", args={"number": 21})
        second = await ask("double", version="2", args={"number": 21})
        both = await ask("double", args={"number": 21})
        secret = await ask("secret")
        missing = await ask("dubble")
        wrong = await ask("double", version="1", args={})
        known, listed = await supervisor.invoke("test.asks", "look", {"name": "double@2"})

    assert (full, second) == (42, 42.0)
    assert both[:2] == ["refused", False]
    assert "test.lends.double has several versions, 1, 2" in both[2]
    assert "test.lends.secret is not public" in secret[2]
    assert "no plugin offers an API 'dubble'; did you mean" in missing[2]
    assert wrong[0] == "refused"
    assert known["version"] == "2"
    assert listed == ["test.lends.die", *["test.lends.double"] * 2, "test.lends.hang"]


async def test_five_hundred_calls_at_once_are_a_normal_burst(deployment: Deployment) -> None:
    """All of them are answered, though far fewer are let in at a time."""
    deployment.plugin("one", "asks", ASKS, capabilities=["api.*"])
    deployment.plugin("two", "lends", LENDS)
    async with deployment.run() as supervisor:
        total = await supervisor.invoke("test.asks", "ask_often", {"times": 500}, timeout=PATIENCE)

    assert total == 2 * sum(range(500))


async def test_a_callee_ends_with_its_caller(deployment: Deployment) -> None:
    """Its author gave it ten minutes, its caller half a second, and it is cancelled before that is over."""
    deployment.plugin("one", "asks", ASKS, capabilities=["api.*"])
    deployment.plugin("two", "lends", LENDS)
    async with deployment.run() as supervisor:
        call = {"name": "hang", "timeout": 0.5}

        kind, maybe_executed, text = await supervisor.invoke("test.asks", "ask", call)
        cancelled = deployment.state / "plugins" / "test.lends" / "cancelled"
        with trio.fail_after(PATIENCE):
            while not list(deployment.state.rglob(cancelled.name)):
                await trio.sleep(0.01)  # a real process on the real clock

    assert (kind, maybe_executed) == ("timeout", True)
    assert "api.call" in text


async def test_a_callee_has_only_what_is_left_of_its_callers_own_time(deployment: Deployment) -> None:
    """The plugin in the middle asks for minutes, and the host, which had called it, has two seconds: it hears in time."""
    deployment.plugin("one", "asks", ASKS, capabilities=["api.*"])
    deployment.plugin("two", "lends", LENDS)
    async with deployment.run() as supervisor:
        with trio.fail_after(PATIENCE):
            answer = await supervisor.invoke(
                "test.asks", "ask", {"name": "hang", "timeout": 300.0}, timeout=2.0
            )

    assert answer[:2] == ["timeout", True]


async def test_a_callee_that_dies_takes_only_itself(deployment: Deployment) -> None:
    """Its caller hears that it may have been done, and the next call reaches the next runner."""
    deployment.plugin("one", "asks", ASKS, capabilities=["api.*"])
    deployment.plugin("two", "lends", LENDS)
    async with deployment.run() as supervisor:
        dead = await supervisor.invoke("test.asks", "ask", {"name": "die"})
        again = await supervisor.invoke(
            "test.asks", "ask", {"name": "double", "version": "1", "args": {"number": 2}}
        )

        assert supervisor.shards["one"].incarnation == 1
    assert dead[:2] == ["runner lost", True]
    assert again == 4


async def test_a_circle_over_two_runners_ends(deployment: Deployment) -> None:
    """Each plugin calls the other for ever; the call is refused that goes too deep, and all of them hear why."""
    for shard, name, other in (("one", "a", "b"), ("two", "b", "a")):
        body = f"""
@api("go", public=True)
async def go(self, depth: int = 0) -> object:
    return await self.ctx.api.call("test.{other}.go", depth=depth + 1)
"""
        deployment.plugin(shard, name, body, capabilities=["api.call"])
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as caught, trio.fail_after(PATIENCE):
            await supervisor.invoke("test.a", "go")

    assert "too deep" in str(caught.value)
    assert "test.a → test.b.go → test.a.go → " in str(caught.value)


async def test_plain_functions_are_followed_too(deployment: Deployment) -> None:
    """A circle of functions in threads is seen as one; a thread knows what it works on."""
    body = """
@api("go", public=True)
def go(self) -> object:
    return trio.from_thread.run(self.ctx.api.call, "test.a.go")
"""
    deployment.plugin("one", "a", body, capabilities=["api.call"])
    deployment.tables["one"] = "thread_limit = 64"
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as caught, trio.fail_after(PATIENCE):
            await supervisor.invoke("test.a", "go")

    assert "too deep" in str(caught.value)


async def test_what_a_plugin_offers_changes_while_it_runs(deployment: Deployment) -> None:
    """It needs no capability for that; what it took away has its reason, also after its runner was replaced."""
    deployment.plugin("one", "asks", ASKS, capabilities=["api.*"])
    deployment.plugin("two", "makes", DYNAMIC)
    async with deployment.run() as supervisor:

        async def ask(name: str) -> object:
            return await supervisor.invoke("test.asks", "ask", {"name": name})

        async def offer(*names: str, reason: str = "") -> object:
            return await supervisor.invoke("test.makes", "offer", {"names": list(names), "reason": reason})

        early = await ask("early")
        offlined = await offer("one", "two", reason="it is night")
        calls = [await ask("one"), await ask("early")]
        collision = await offer("fixed")
        still = await ask("two")
        supervisor.restart_shard("two")
        await supervisor.wait_ready()
        with trio.fail_after(PATIENCE):
            while supervisor.shards["two"].incarnation < 2 or not supervisor.parts.dispatcher.is_open("two"):
                await trio.sleep(0.01)  # a real process on the real clock
        after = [await ask("early"), await ask("one")]

    names = ["__maibot_api_full_name__", "__maibot_api_name__", "__maibot_api_version__"]
    assert early == names
    assert offlined == 1
    assert calls[0] == names
    assert calls[1][0] == "unavailable"
    assert "it is night" in calls[1][2]
    assert "declares for good" in str(collision)
    assert still == names
    assert after[0] == names
    assert after[1][0] == "unavailable"
