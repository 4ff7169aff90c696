"""What real plugins in real runners get of the host by the names of protocol 1.0.0, what they do not get, and what is written
down about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.audit_lines import read_audit
from rookery.supervisor.capabilities import CapabilityRequest
from rookery.supervisor.observers import PluginNotLoaded
from tests.whole.deployment import rookery
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

ASKS = """
    @tool(description="Asks the host.")
    async def ask(self, name: str, args: dict) -> object:
        try:
            return await self.ctx.call_capability(name, **args)
        except Exception as error:
            return {"raised": type(error).__name__, "code": str(getattr(error, "code", "")), "text": str(error)}

    @tool(description="Says that it is there.")
    async def greet(self) -> str:
        return "hello"
"""

GATEWAY = """
    async def on_load(self) -> None:
        await self.ctx.gateway.update_state("out", ready=True, platform="test", account_id="rook")

    @message_gateway("out", route_type="duplex", platform="test")
    async def send(self, message: Message) -> str:
        self.segments = message.raw["raw_message"]
        return "external-1"

    @tool(description="Tells what was sent last.")
    async def last(self) -> list:
        return self.segments
"""

EVERYTHING = ["*"]

CONFIGURED = f"""
from rookery.runner import *


class ItConfig(PluginConfig):
    sides: int = 6


class It(Plugin[ItConfig]):
{ASKS}
    @tool(description="")
    async def sides(self) -> int:
        return self.config.sides
"""

TYPED = """
    @tool(description="Uses the host.")
    async def use(self, chat: str) -> dict:
        ctx = self.ctx
        saved = [
            (await ctx.records.save("Score", "user", user, {"points": points}))["id"]
            for user, points in (("ann", 3), ("ann", 5), ("bob", 1))
        ]
        found = await ctx.records.find("Score", order_by=["points"])
        left = [await ctx.records.delete("Score", {"user": "ann"}), await ctx.records.count("Score")]
        sent = [
            await ctx.send.image(b"png", chat),
            await ctx.send.segments([{"type": "text", "data": "x"}], chat),
            await ctx.send.custom("music", 1, chat),
        ]
        opened = await ctx.chat.open("test", user_id="new")
        person = await ctx.persons.id_by_name("u")
        await ctx.components.switch("test.typed.use", "TOOL", enabled=False)
        return {
            "saved": saved,
            "found": found,
            "left": left,
            "sent": sent,
            "chat": [(await ctx.chat.of_group("c", "test"))["group_id"], opened["session_id"]],
            "person": await ctx.persons.value(person, "nickname"),
            "messages": (await ctx.statistics.messages(days=365))["source_count"],
            "tools": [each["name"] for each in await ctx.components.tools()],
        }
"""

PNG = "cG5n"


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    return Deployment(tmp_path, state_dir)


async def ask(supervisor: Supervisor, plugin: str, name: str, /, **args: Any) -> Any:
    return await supervisor.invoke(f"test.{plugin}", "ask", {"name": name, "args": args})


def audit(deployment: Deployment, what: str, plugin: str = "") -> list[dict[str, Any]]:
    return [
        entry
        for entry in read_audit(deployment.state)
        if entry["what"] == what and plugin in ("", entry["plugin"].removeprefix("test."))
    ]


async def test_a_plugin_of_the_original_finds_what_its_proxies_ask_for(deployment: Deployment) -> None:
    """Each call as the original SDK sends it, over the real wire, and the result that it unwraps."""
    deployment.plugin("one", "asks", ASKS, capabilities=EVERYTHING)
    deployment.plugin("two", "gate", GATEWAY)
    deployment.more = "[bot]\nnickname = 'Rook'"
    async with deployment.run() as supervisor:
        chat = {"stream_id": "test:group:c"}
        row = {
            "model_name": "Score",
            "data": {"user": "u", "points": 3},
            "key_field": "id",
            "key_value": None,
        }
        supervisor.parts.store.save_message_nowait(message("hi"), "test:group:c", direction="in")
        got = {
            name: await ask(supervisor, "asks", name, **args)
            for name, args in (
                ("send.text", {"text": "hi", **chat, "return_details": True}),
                (
                    "send.custom",
                    {"message_type": "music", "custom_type": "music", "content": 1, "data": 1, **chat},
                ),
                ("send.image", {"image_base64": PNG, **chat, "storage_message": False}),
                ("config.get", {"key": "bot.nickname", "default": None}),
                ("config.get_plugin", {"plugin_name": None}),
                ("database.save", row),
                ("database.count", {"model_name": "Score", "filters": None}),
                ("database.delete", {"model_name": "Score", "filters": {}}),
                ("message.get_recent", {"chat_id": "test:group:c", "limit": 10, "hours": 1_000_000}),
                ("chat.get_stream_by_group_id", {"group_id": "c", "platform": "test"}),
                (
                    "chat.open_session",
                    {"platform": "test", "chat_type": "private", "user_id": "u", "group_id": ""},
                ),
                ("person.get_id", {"platform": "test", "user_id": "u"}),
                ("person.get_value", {"person_id": "test:u", "field_name": "nickname"}),
                ("component.get_plugin_info", {"plugin_name": "test.gate"}),
                ("tool.get_definitions", {}),
                ("statistics.local.tool_trend", {"days": 1, "bucket": "hour", "top_tools": 10}),
                ("emoji.get_count", {}),
            )
        }
        sent = await supervisor.invoke("test.gate", "last")

    assert got["send.text"] == {"success": True, "sent": True, "message_id": "external-1"}
    assert got["send.custom"]["success"] is True
    assert sent[0]["type"] == "image"
    assert got["config.get"]["value"] == "Rook"
    assert got["config.get_plugin"]["value"] == {}
    assert got["database.save"] == {"id": 1, "user": "u", "points": 3}
    assert got["database.count"] == 1
    assert got["database.delete"]["success"] is False
    texts = [each["processed_plain_text"] for each in got["message.get_recent"]["messages"]]
    assert sorted(texts) == ["[music]", "hi", "hi"]  # and not the picture, which was not to be kept
    assert got["chat.get_stream_by_group_id"]["stream"]["session_id"] == "test:group:c"
    assert got["chat.open_session"]["session_id"] == "test:private:u"
    assert got["person.get_id"]["person_id"] == "test:u"
    assert got["person.get_value"]["value"] == "u"
    assert sorted(each["name"] for each in got["component.get_plugin_info"]["plugin"]["components"]) == [
        "last",
        "out",
    ]
    assert "test.asks.greet" in [each["name"] for each in got["tool.get_definitions"]["tools"]]
    assert got["statistics.local.tool_trend"]["series"]["total"] >= 15
    assert got["emoji.get_count"]["code"] == "E_METHOD_NOT_ALLOWED"


async def test_a_plugin_uses_the_typed_services(deployment: Deployment) -> None:
    """The same through the context of a real runner, with a real store behind it."""
    deployment.plugin("one", "typed", TYPED, capabilities=EVERYTHING)
    deployment.plugin("two", "gate", GATEWAY)
    async with deployment.run() as supervisor:
        supervisor.parts.store.save_message_nowait(message("hi"), "test:group:c", direction="in")
        got = await supervisor.invoke("test.typed", "use", {"chat": "test:group:c"})

    assert got == {
        "saved": [1, 1, 2],
        "found": [{"id": 2, "user": "bob", "points": 1}, {"id": 1, "user": "ann", "points": 5}],
        "left": [1, 1],
        "sent": ["external-1"] * 3,
        "chat": ["c", "test:private:new"],
        "person": "u",
        "messages": 1,
        "tools": ["test.gate.last"],
    }


async def test_what_manifest_operator_or_shard_do_not_allow_is_denied_and_written_down(
    deployment: Deployment,
) -> None:
    """Each of the three is enough; `rookery audit` tells it while the bot runs, and afterwards."""
    for shard, name in (("one", "undeclared"), ("one", "limited"), ("sandbox", "boxed"), ("one", "free")):
        declared = [] if name == "undeclared" else ["config.*"]
        deployment.plugin(shard, name, ASKS, capabilities=declared)
    deployment.more = '[plugins."test.limited"]\ncapabilities = ["config.get_all"]'
    deployment.tables["sandbox"] = 'capabilities = ["send.text"]'
    config = deployment.write()
    async with deployment.run() as supervisor:
        got = {
            name: await ask(supervisor, name, "config.get", key="name")
            for name in ("undeclared", "limited", "boxed", "free")
        }
        live = await rookery(
            "audit", "--config", config, "--plugin", "test.boxed", "--json", state=deployment.state
        )

    after = await rookery("audit", "--config", config, "--shard", "one", "-n", "0", state=deployment.state)
    assert got.pop("free") == {"success": True, "value": "test"}
    assert {each["code"] for each in got.values()} == {"E_CAPABILITY_DENIED"}
    assert sorted(entry["plugin"] for entry in audit(deployment, "denied")) == [
        "test.boxed",
        "test.limited",
        "test.undeclared",
    ]
    told = [json.loads(line) for line in live.lines]
    assert [entry["what"] for entry in told] == ["granted", "denied"]
    assert told[1]["capability"] == "config.get"
    assert 'shard "sandbox"' in told[1]["reason"]
    assert (live.code, after.code) == (0, 0)
    assert any("granted" in line and "test.free: may use config.*" in line for line in after.lines)
    assert any("revoked" in line and "test.free" in line for line in after.lines)
    assert not any("test.boxed" in line for line in after.lines)


async def test_a_plugin_that_did_not_load_keeps_no_capability(deployment: Deployment) -> None:
    """W32: it was introduced before its on_load failed; a task that it left behind could go on asking."""
    deployment.plugin("one", "good", ASKS, capabilities=["config.get"])
    deployment.plugin(
        "one", "bad", "async def on_load(self):\n    raise ValueError('no')", capabilities=["config.get"]
    )
    async with deployment.run() as supervisor:
        await deployment.wait_told(PluginNotLoaded)
        allowed = {
            name: supervisor.parts.grants.allows(f"test.{name}", "config.get") for name in ("good", "bad")
        }

    assert allowed == {"good": True, "bad": False}
    assert [entry["what"] for entry in read_audit(deployment.state) if entry["plugin"] == "test.bad"] == [
        "granted",
        "revoked",
    ]


async def test_a_switch_by_a_plugin_outlives_the_host(deployment: Deployment) -> None:
    """W33: only what the operator gave into its hands, for good, and with its name in the record."""
    deployment.plugin("one", "admin", ASKS, capabilities=["component.*"])
    deployment.plugin("two", "worker", ASKS)
    deployment.plugin("two", "other", ASKS)
    deployment.more = '[plugins."test.admin"]\nmanages = ["test.worker"]'
    switch = {"component_type": "TOOL", "scope": "global", "stream_id": ""}
    async with deployment.run() as supervisor:
        done = await ask(supervisor, "admin", "component.disable", name="test.worker.greet", **switch)
        denied = await ask(supervisor, "admin", "component.disable", name="test.other.greet", **switch)

    async with deployment.run() as supervisor:
        states = {
            name: found.enabled
            for name in ("worker", "other")
            if (found := supervisor.parts.registry.component(f"test.{name}", "greet")) is not None
        }

    assert done == {"success": True}
    assert denied["code"] == "E_CAPABILITY_DENIED"
    assert states == {"worker": False, "other": True}
    [managed] = audit(deployment, "managed", "admin")
    assert (managed["target"], managed["reason"]) == ("test.worker", "disabled test.worker.greet")


async def test_a_plugin_reloads_another_by_leave_and_itself_without(deployment: Deployment) -> None:
    """In real runners of two shards; the one that reloads itself is answered before it goes."""
    deployment.plugin("one", "admin", ASKS, capabilities=["component.reload_plugin"])
    deployment.plugin("two", "worker", ASKS)
    deployment.more = '[plugins."test.admin"]\nmanages = ["test.worker"]'
    async with deployment.run() as supervisor:
        module = deployment.directory / "plugins" / "test.worker" / "plugin.py"
        module.write_text(module.read_text().replace('"hello"', '"newer"'))
        other = await ask(supervisor, "admin", "component.reload_plugin", plugin_name="test.worker")
        newer = await supervisor.invoke("test.worker", "greet")
        itself = await ask(supervisor, "admin", "component.reload_plugin", plugin_name="test.admin")
        again = await supervisor.invoke("test.admin", "greet")

    assert (other, itself) == ({"success": True}, {"success": True})
    assert (newer, again) == ("newer", "hello")


async def test_a_plugin_changes_its_own_configuration_while_it_runs(deployment: Deployment) -> None:
    """The file keeps its comment, the plugin is told, and reads the new value; a value that it refuses changes nothing."""
    deployment.module(
        "one", "asks", CONFIGURED, capabilities=["component.update_plugin_config", "config.get_plugin"]
    )
    file = deployment.directory / "plugins" / "test.asks" / "config.toml"
    file.write_text("# mine\nsides = 6\n")
    async with deployment.run() as supervisor:
        answers = [
            await ask(supervisor, "asks", "component.update_plugin_config", key="sides", value=value)
            for value in (8, "eight")
        ]
        shown = await ask(supervisor, "asks", "config.get_plugin", plugin_name=None, key="sides")
        own = await supervisor.invoke("test.asks", "sides")

    assert answers[0] == {"success": True, "hot_updated": True}
    assert answers[1]["success"] is False
    assert "sides" in answers[1]["error"]
    assert shown == {"success": True, "value": 8}
    assert own == 8
    assert file.read_text() == "# mine\nsides = 8\n"


async def test_an_application_offers_a_capability_of_its_own(deployment: Deployment) -> None:
    """Under a name of the protocol or another; it needs a grant like every other."""
    deployment.plugin("one", "asks", ASKS, capabilities=["emoji.get_count", "bot.mood"])
    async with deployment.run() as supervisor:

        async def mood(request: CapabilityRequest) -> dict[str, Any]:
            return {"success": True, "mood": f"{request.plugin_id} of {request.shard}"}

        supervisor.parts.capabilities.register(
            "emoji.get_count", lambda request: request.answer({"success": True, "count": 7})
        )
        supervisor.parts.capabilities.register("bot.mood", mood)
        supervisor.parts.capabilities.register("bot.secret", mood)
        got = [await ask(supervisor, "asks", name) for name in ("emoji.get_count", "bot.mood", "bot.secret")]

    assert got[0] == {"success": True, "count": 7}
    assert got[1] == {"success": True, "mood": "test.asks of one"}
    assert got[2]["code"] == "E_CAPABILITY_DENIED"


async def test_a_record_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    """For a directory in which no bot has run."""
    done = await rookery("audit", "--state", tmp_path, state=tmp_path)

    assert done.code == 1
    assert "there is no audit record" in done.err
