"""A host application as its author writes it: no default pipeline, everything by the supervisor's own door.

A small shop whose plugins live in two shards. It offers a capability and a hook of its own, asks its plugins about events,
stages and hooks, lets them act for it, talks through their gateway, and changes what they are while they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import (
    ActionDescription,
    DispatchFailed,
    Fate,
    HookSpec,
    PluginAnswer,
    conversation_of_session,
)
from rookery.supervisor.capabilities import CapabilityRequest
from rookery.supervisor.platform.inbound import Inbound
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

HOOKS = [HookSpec(name="shop.before_sale", description="A thing is about to be sold.")]

CLERK = """
@event_handler("on_message", intercept=True, weight=2)
async def polite(self, message: Message) -> EventOutcome:
    return EventOutcome.change(message.with_text("please " + message.text))

@event_handler("on_start")
async def started(self) -> None:
    self.ctx.logger.warning("saw on_start")

@event_handler("on_stop")
async def stopped(self) -> None:
    self.ctx.logger.warning("saw on_stop")

@hook("shop.before_sale")
async def judge(self, price: int) -> HookOutcome:
    return HookOutcome.abort("too dear") if price > 9 else HookOutcome.change(price=price - 1)

@stage_handler("pre_sale", blocking=True, priority=1)
async def rounds(self, price: int) -> HookOutcome:
    return HookOutcome.change(price=price - price % 10)

@tool(description="Asks the shop for a price.", chat_scope="private")
async def ask(self, name: str) -> object:
    return (await self.ctx.call_capability("shop.price", name=name))["price"]

@action(description="Wraps a thing up.")
async def wrap(self, thing: str = "", reasoning: str = "") -> list:
    return [True, f"wrapped {thing} because {reasoning}"]
"""

GATE = """
async def on_load(self) -> None:
    await self.ctx.gateway.update_state("out", ready=True, platform="test")

@message_gateway("out", route_type="duplex", platform="test")
async def send(self, message: Message) -> str:
    self.sent = message.text
    return "platform-id"

@tool(description="Says what was sent last.")
async def last(self) -> str:
    return self.sent

@tool(description="Brings a message in.")
async def bring(self, text: str) -> bool:
    from rookery.protocol import build_message

    message = build_message(
        message_id="m9", platform="test", user_id="u", user_name="u", group_id="c", text=text, timestamp=0.0
    )
    return await self.ctx.gateway.route_message("out", message)

@api("stock")
async def stock(self, thing: str) -> str:
    return f"no {thing} left"

@action(description="Wraps a thing up, too.")
async def wrap(self) -> list:
    return [True, "wrapped by the gate"]
"""

TALLY = """
from rookery.runner import Field, Plugin, PluginConfig, tool


class ItConfig(PluginConfig):
    greeting: str = Field("hello", "What it says.")


class It(Plugin[ItConfig]):
    @tool(description="Says what it was told to say.")
    async def greet(self) -> str:
        return self.config.greeting
"""

VERSION = '@tool(description="")\nasync def version(self) -> str:\n    return "{}"'


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    made = Deployment(tmp_path, state_dir)
    made.plugin("desk", "clerk", CLERK, capabilities=["shop.price"])
    made.plugin("door", "gate", GATE)
    made.plugin("desk", "newer", VERSION.format("old"))
    return made


async def _nothing(inbound: Inbound) -> None:
    """An application that answers nobody."""


async def test_it_asks_its_plugins(deployment: Deployment) -> None:
    """A capability, an event that unpacks into two, a hook of its own, a stage; the life of the deployment is told."""

    def price(request: CapabilityRequest) -> None:
        request.answer({"success": True, "price": 3 * len(request.args["name"])})

    async with deployment.run(process=_nothing, hooks=HOOKS) as shop:
        shop.parts.capabilities.register("shop.price", price)
        continues, changed = await shop.dispatch_event("on_message", message("tea"))
        cheap = await shop.invoke_hook("shop.before_sale", price=5)
        dear = await shop.invoke_hook("shop.before_sale", price=50)
        rounded = await shop.dispatch_hook("pre_sale", price=37, name="tea")
        asked = await shop.invoke("test.clerk", "ask", {"name": "tea"})
        stock = await shop.surface.invoke_api("test.gate.stock", {"thing": "tea"})
        with pytest.raises(DispatchFailed, match="does not serve"):
            await shop.surface.invoke_llm_provider("test.gate", "parrot", "response")

    assert changed is not None
    assert (continues, changed["processed_plain_text"]) == (True, "please tea")
    assert (cheap.kwargs, dear.stopped_by) == ({"price": 4}, "test.clerk.judge")
    assert (rounded, asked, stock) == ({"price": 30, "name": "tea"}, 9, "no tea left")
    told = [record.text for record in deployment.records if "saw on_" in getattr(record, "text", "")]
    assert [text.split()[-1] for text in told] == ["on_start", "on_stop"]


async def test_it_talks_through_a_gateway(deployment: Deployment) -> None:
    """Out with a yes or no, in by its own coroutine function, and past all routes when it wants to."""
    came: list[str] = []
    arrived = trio.Event()

    async def process(inbound: Inbound) -> None:
        came.append(inbound.message["processed_plain_text"])
        arrived.set()

    async with deployment.run(process=process, hooks=HOOKS) as shop:
        said = message("hello")
        sent = await shop.send_message_to_external(said, save_to_db=False)
        last = await shop.invoke("test.gate", "last")
        await shop.invoke("test.gate", "bring", {"text": "one"})
        await arrived.wait()
        answer = await shop.invoke_message_gateway("test.gate", "out", {"message": message("raw")})
        shop.set_enabled("test.gate.out", False)
        refused = await shop.send_message_to_external(message("again"))
        forced = await shop.send_message_to_external(message("again"), enabled_only=False)

    assert (sent, last, said["message_id"]) == (True, "hello", "platform-id")
    assert came == ["one"]
    assert isinstance(answer, PluginAnswer)
    assert (answer.success, answer.result) == (True, "platform-id")
    assert (refused, forced) == (False, True)


async def test_its_actions_and_those_of_its_plugins_are_one_list(deployment: Deployment) -> None:
    """Its own go first; when that goes the next takes over; a tool is used where it may be."""

    async def own(**_: Any) -> tuple[bool, str]:
        return True, "wrapped by the shop"

    async with deployment.run(process=_nothing, hooks=HOOKS) as shop:
        actions, tools = shop.parts.actions, shop.parts.toolbox
        before = sorted(actions.all())
        shop.register_action(ActionDescription(name="wrap"), own)
        by_us = await actions.take("wrap")
        shadowed = shop.status().shadowed
        actions.unregister("wrap")
        by_clerk = await actions.take("wrap", action_data={"thing": "tea"}, action_reasoning="asked")
        shop.set_plugin_enabled("test.clerk", False)
        by_gate = await actions.take("wrap")
        shop.set_plugin_enabled("test.clerk", True)
        listed = [each.name for each in tools.tools(conversation_of_session("test:private:u"))]
        in_group = [each.name for each in tools.tools(conversation_of_session("test:group:c"))]
        raised = await shop.invoke_plugin("plugin.invoke_tool", "test.gate", "last")
        with pytest.raises(DispatchFailed) as refused:
            await shop.invoke_plugin("plugin.reload", "test.gate", "last")

    assert before == ["wrap"]
    assert (by_us[1], by_clerk[1]) == ("wrapped by the shop", "wrapped tea because asked")
    assert by_gate == (True, "wrapped by the gate")
    assert "'wrap' is an action of the application, not test.clerk.wrap" in shadowed
    assert (listed, in_group) == (["ask", "bring", "last", "version"], ["bring", "last", "version"])
    assert (raised.success, "AttributeError" in str(raised.result)) == (False, True)
    assert refused.value.fate is Fate.REFUSED


async def test_it_changes_what_its_plugins_are(deployment: Deployment) -> None:
    """Newer code by a reload, which keeps what was switched off; another configuration; and it knows what is loaded."""
    deployment.module("door", "tally", TALLY)
    async with deployment.run(process=_nothing, hooks=HOOKS) as shop:
        first = await shop.invoke("test.newer", "version")
        shop.set_enabled("test.newer.version", False)
        code = (deployment.directory / "plugins" / "test.newer" / "plugin.py").read_text()
        (deployment.directory / "plugins" / "test.newer" / "plugin.py").write_text(code.replace("old", "new"))
        reloaded = await shop.reload_plugin("test.newer", "the shop wants it")
        second = await shop.invoke("test.newer", "version")
        listed = [each.name for each in shop.parts.toolbox.tools()]
        greeted = [await shop.invoke("test.tally", "greet")]
        pushed = await shop.notify_plugin_config_updated("test.tally", {"greeting": "good day"})
        greeted.append(await shop.invoke("test.tally", "greet"))
        everything = await shop.reload_plugins()
        loaded, statuses = shop.get_loaded_plugin_ids(), shop.get_plugin_load_statuses()
        counts = shop.parts.queries.counts()
        is_loading, reasons = shop.is_loading, shop.get_plugin_load_failure_reasons()
        versions = shop.get_loaded_plugin_versions()

    assert (first, second, bool(reloaded), bool(everything)) == ("old", "new", True, True)
    assert (greeted, pushed) == (["hello", "good day"], True)
    assert "version" not in listed
    assert loaded == ("test.clerk", "test.gate", "test.newer", "test.tally")
    assert statuses == dict.fromkeys(loaded, "success")
    assert (is_loading, reasons, sorted(versions)) == (False, {}, list(loaded))
    assert (counts.plugins, counts.by_shard) == (4, {"desk": 8, "door": 6})
