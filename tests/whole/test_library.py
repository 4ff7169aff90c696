"""Can a host application run plugins with the library door alone: events, hooks, calls, messages, its own pipeline?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import with_text
from rookery.supervisor import DispatchFailed, Fate, HookSpec, UsageError, load_settings, open_supervisor
from rookery.supervisor.capabilities import CapabilityRequest
from rookery.supervisor.observers import RunnerBack, RunnerDied
from rookery.supervisor.platform.inbound import Inbound
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

SAYS = """
    @event_handler("on_message", weight={weight}, intercept=True)
    async def say(self, message: Message) -> EventOutcome:
        return EventOutcome.change(message.with_text(message.text + "{word}"))
"""

GATEWAY = """
    async def on_load(self) -> None:
        await self.ctx.gateway.update_state("out", ready=True, platform="test")

    @message_gateway("out", route_type="duplex", platform="test")
    async def send(self, message: Message) -> str:
        self.sent = message.text
        return f"id of {message.text}"

    @tool(description="Says what was sent last.")
    async def last(self) -> str:
        return self.sent

    @tool(description="Brings a message in.")
    async def bring(self, text: str, number: int) -> bool:
        from rookery.protocol import build_message

        message = build_message(
            message_id=f"m{number}", platform="test", user_id="u", user_name="u", group_id="c", text=text, timestamp=0.0
        )
        return await self.ctx.gateway.route_message("out", message)
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


async def test_events_and_calls_cross_shards_in_one_order(deployment: Deployment) -> None:
    """Interceptors of three shards by weight; a tool by name; a status of all; nothing is left when it ends."""
    for shard, weight in (("one", 1), ("two", 3), ("three", 2)):
        deployment.plugin(shard, shard, SAYS.format(weight=weight, word=weight))
    deployment.plugin(
        "one", "adds", '@tool(description="")\nasync def add(self, a: int, b: int) -> int:\n    return a + b'
    )

    async with deployment.run() as supervisor:
        result = await supervisor.dispatch_event("on_message", message("x"))
        total = await supervisor.invoke("test.adds", "add", {"a": 1, "b": 2})
        status = supervisor.status().as_json()

    assert result.message is not None
    assert (result.continues, result.message["processed_plain_text"]) == (True, "x321")
    assert total == 3
    assert status["state"] == "running"
    assert {shard["state"] for shard in status["shards"]} == {"ready"}
    assert not (deployment.state / "control.sock").exists()


async def test_a_hook_of_the_application(deployment: Deployment) -> None:
    """Made known before the runners register, fired by the application, answered from another process."""
    deployment.plugin(
        "one",
        "judge",
        '@hook("shop.before_sale")\nasync def judge(self, price: int) -> HookOutcome:\n'
        "    return HookOutcome.abort('too dear') if price > 9 else HookOutcome.change(price=price - 1)",
    )
    settings = load_settings(deployment.write())

    async with open_supervisor(settings) as supervisor:
        supervisor.parts.hooks.specs.add(HookSpec(name="shop.before_sale"))
        await supervisor.wait_ready()
        cheap = await supervisor.invoke_hook("shop.before_sale", price=5)
        dear = await supervisor.invoke_hook("shop.before_sale", price=50)

    assert (cheap.aborted, cheap.kwargs) == (False, {"price": 4})
    assert (dear.aborted, dear.stopped_by, dear.custom_results) == (True, "test.judge.judge", ("too dear",))


async def test_a_hook_handler_changes_what_it_names_and_nothing_else(deployment: Deployment) -> None:
    """What nobody may change is not even mentioned; what it did in place to the others is seen by nobody."""
    deployment.plugin(
        "one",
        "judge",
        '@hook("chat.command.before_execute")\nasync def judge(self, matched_groups: dict, args: list):\n'
        "    args.append(1)\n    return HookOutcome.change(matched_groups={'a': 1})",
    )

    async with deployment.run() as supervisor:
        result = await supervisor.invoke_hook(
            "chat.command.before_execute", command_name="roll", plugin_id="p", matched_groups={}, args=[]
        )

    assert result.errors == ()
    assert result.kwargs == {"command_name": "roll", "plugin_id": "p", "matched_groups": {"a": 1}, "args": []}


async def test_a_message_goes_out_and_one_comes_in_to_the_application(deployment: Deployment) -> None:
    """`send_message` takes the route's gateway; `process` stands in place of the default pipeline."""
    deployment.plugin("gate", "gate", GATEWAY)
    came: list[str] = []
    arrived = trio.Event()

    async def process(inbound: Inbound) -> None:
        came.append(inbound.message["processed_plain_text"])
        if len(came) == 2:
            arrived.set()

    async with deployment.run(process=process) as supervisor:
        receipt = await supervisor.send_message(message("hello"))
        sent = await supervisor.invoke("test.gate", "last")
        accepted = [
            await supervisor.invoke("test.gate", "bring", {"text": text, "number": number})
            for number, text in enumerate(("one", "two"), start=1)
        ]
        await arrived.wait()

    assert (receipt.sent, receipt.external_id, sent) == (True, "id of hello", "hello")
    assert (accepted, came) == ([True, True], ["one", "two"])


async def test_a_capability_of_the_application(deployment: Deployment) -> None:
    """Registered by the application, used by a plugin that declares it, denied to one that does not."""
    ask = '@tool(description="")\nasync def ask(self) -> object:\n    return await self.ctx.call_capability("shop.price", name="tea")'
    deployment.plugin("one", "honest", ask, capabilities=["shop.price"])
    deployment.plugin("one", "sly", ask)

    def price(request: CapabilityRequest) -> None:
        request.answer({"success": True, "price": len(request.args["name"]), "asked_by": request.plugin_id})

    async with deployment.run() as supervisor:
        supervisor.parts.capabilities.register("shop.price", price)
        answer = await supervisor.invoke("test.honest", "ask")
        with pytest.raises(DispatchFailed, match=r"may not use 'shop\.price'") as denied:
            await supervisor.invoke("test.sly", "ask")

    assert answer == {"success": True, "price": 3, "asked_by": "test.honest"}
    assert denied.value.fate is Fate.HANDLER_ERROR


async def test_plugins_of_two_shards_call_each_other(deployment: Deployment) -> None:
    """An API is reached by its name, wherever it lives."""
    deployment.plugin(
        "one",
        "lends",
        '@api("double", public=True)\nasync def double(self, number: int) -> int:\n    return 2 * number',
    )
    deployment.plugin(
        "two",
        "borrows",
        '@tool(description="")\nasync def ask(self) -> object:\n    return await self.ctx.api.call("test.lends.double", number=21)',
        capabilities=["api.call"],
    )

    async with deployment.run() as supervisor:
        answer = await supervisor.invoke("test.borrows", "ask")

    assert answer == 42


async def test_what_raises_in_the_block_comes_out_after_an_orderly_stop(deployment: Deployment) -> None:
    """The plugins are unloaded, and the error is found in the group."""
    deployment.plugin(
        "one", "leaves", 'async def on_unload(self) -> None:\n    self.ctx.logger.warning("unloaded")'
    )

    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with deployment.run():
            raise ZeroDivisionError

    assert any("unloaded" in getattr(record, "text", "") for record in deployment.records)
    assert [died.report.planned for died in deployment.told(RunnerDied)] == [True]


async def test_a_cancelled_deployment_leaves_nothing(deployment: Deployment) -> None:
    """A cancel from outside is an end like any other."""
    deployment.plugin("one", "quiet", "pass")

    with trio.CancelScope() as scope:
        async with deployment.run():
            scope.cancel()
            await trio.sleep_forever()

    assert scope.cancelled_caught
    assert len(deployment.told(RunnerDied)) == 1


async def test_two_deployments_in_one_program(
    deployment: Deployment, tmp_path: Path, state_dir: Path
) -> None:
    """Each has its own state; the same state twice is refused."""
    deployment.plugin("one", "who", '@tool(description="")\nasync def who(self) -> str:\n    return "first"')
    other = Deployment(tmp_path / "other", state_dir / "other")
    other.directory.mkdir()
    other.plugin("one", "who", '@tool(description="")\nasync def who(self) -> str:\n    return "second"')

    async with deployment.run() as first, other.run() as second:
        names = [await each.invoke("test.who", "who") for each in (first, second)]
        with pytest.raises(UsageError, match="is in use by pid"):
            async with open_supervisor(load_settings(deployment.write())):
                pass

    assert names == ["first", "second"]


async def test_calls_that_cannot_be_made_say_why(deployment: Deployment) -> None:
    """No such component, a kind that is not called by name, a handler that raises."""
    deployment.plugin(
        "one",
        "odd",
        '@tool(description="")\nasync def fail(self) -> None:\n    raise ValueError("no luck")\n\n'
        '@event_handler("e")\nasync def see(self) -> None:\n    pass',
    )
    failures: list[tuple[Any, str]] = []

    async with deployment.run() as supervisor:
        for name in ("nothing", "see", "fail"):
            with pytest.raises(DispatchFailed) as failed:
                await supervisor.invoke("test.odd", name)
            failures.append((failed.value.fate, str(failed.value)))

    assert [fate for fate, _ in failures] == [Fate.REFUSED, Fate.REFUSED, Fate.HANDLER_ERROR]
    assert "ValueError: no luck (plugin.py line" in failures[2][1]


async def test_a_killed_runner_is_back_and_calls_wait_for_it(deployment: Deployment) -> None:
    """The call in its hands is lost and says so; one that comes while it is away is answered by the next runner."""
    deployment.plugin(
        "one",
        "frail",
        '@tool(description="")\nasync def pid(self) -> int:\n    import os\n    return os.getpid()\n\n'
        '@tool(description="")\nasync def die(self) -> None:\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)',
    )

    async with deployment.run() as supervisor:
        before = await supervisor.invoke("test.frail", "pid")
        with pytest.raises(DispatchFailed) as lost:
            await supervisor.invoke("test.frail", "die")
        after = await supervisor.invoke("test.frail", "pid")
        await deployment.wait_told(RunnerBack, lambda record: record.incarnation == 2)
        changed = await supervisor.dispatch_event("on_message", with_text(message(), "still here"))

    assert (lost.value.fate, lost.value.maybe_executed) == (Fate.RUNNER_LOST, True)
    assert before != after
    assert changed.continues
