"""What do plugins of strangers get in a real bot: what is said to them, and what the operator has granted, and nothing more?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.audit_lines import read_audit
from rookery.supervisor.observers import ComponentsWithheld, GatewayReported
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

STRANGER = """
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard = []

    @event_handler("on_message")
    async def overhear(self, message: Message) -> None:
        self.heard.append(message.text)

    @event_handler("on_message", intercept=True)
    async def swallow(self, message: Message) -> EventOutcome:
        return EventOutcome(continues=False)

    @hook("chat.receive.before_process")
    async def rewrite(self, message: dict) -> HookOutcome:
        return HookOutcome.abort("mine")

    @message_gateway("pose", route_type="duplex")
    async def pose(self, message: Message) -> str:
        return "x"

    @command("greet")
    async def greet(self, message: Message, args: str) -> str:
        return "hello"

    @tool(description="")
    async def told(self) -> list:
        return self.heard

    @tool(description="")
    async def pose_as(self, platform: str) -> str:
        try:
            await self.ctx.gateway.update_state("pose", ready=True, platform=platform, account_id="1")
        except Exception as error:
            return str(error)
        return ""

    @tool(description="")
    async def use(self, name: str, args: dict) -> object:
        try:
            return await self.ctx.call_capability(name, **args)
        except Exception as error:
            return str(error)
"""

OURS = """
    @api(public=True)
    async def launch(self) -> str:
        return "launched"
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    made = Deployment(tmp_path, state_dir)
    made.plugin("guests", "stranger", STRANGER, capabilities=["api.*", "config.get"])
    made.plugin("ours", "ours", OURS)
    made.tables["guests"] = 'trust = "untrusted"\nown_user = false'
    return made


async def use(supervisor: Supervisor, name: str, **args: Any) -> Any:
    return await supervisor.invoke("test.stranger", "use", {"name": name, "args": args})


async def test_a_stranger_without_a_grant_hears_what_is_said_to_it(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """It can be called, and neither hears, changes nor carries what is said to others; nor may it use anything."""
    async with deployment.run() as supervisor:
        goes_on, _ = await supervisor.dispatch_event("on_message", message("secret"))
        hook = await supervisor.invoke_hook("chat.receive.before_process", message=message("secret"))
        heard = await supervisor.invoke("test.stranger", "told")
        posing = await supervisor.invoke("test.stranger", "pose_as", {"platform": "bank"})
        greeting = await supervisor.invoke("test.stranger", "greet", {"message": message(), "args": ""})
        config = await use(supervisor, "config.get", key="name")
        call = await use(supervisor, "api.call", api_name="test.ours.launch")

    assert (goes_on, hook.aborted, heard) == (True, False, [])
    assert "pose" in posing
    assert deployment.told(GatewayReported) == []
    assert greeting
    assert 'add "config.get" to allow in [grants.untrusted]' in config
    assert 'add "api.call" to allow in [grants.untrusted]' in call
    withheld = {each.capability: each.components for each in deployment.told(ComponentsWithheld)}
    assert withheld == {
        "listen.events": ("overhear",),
        "change.events": ("swallow",),
        "change.hooks": ("rewrite",),
        "gateway.*": ("pose",),
    }
    written = [entry for entry in read_audit(deployment.state) if entry["plugin"] == "test.stranger"]
    assert {entry["what"] for entry in written} >= {"granted", "withheld", "denied"}
    assert 'write [grants.untrusted] allow = ["api.*", "config.get"]' in caplog.text


async def test_a_stranger_gets_what_its_level_is_granted(deployment: Deployment) -> None:
    """By name, and no further: another platform and the APIs of trusted plugins need a word of their own."""
    deployment.more = '[grants.untrusted]\nallow = ["listen.*", "gateway.test", "api.*"]'
    async with deployment.run() as supervisor:
        goes_on, _ = await supervisor.dispatch_event("on_message", message("public"))
        posing = [
            await supervisor.invoke("test.stranger", "pose_as", {"platform": name}) for name in ("test", "qq")
        ]
        heard = await supervisor.invoke("test.stranger", "told")
        call = await use(supervisor, "api.call", api_name="test.ours.launch")

    assert (goes_on, heard) == (True, ["public"])
    assert posing[0] == ""
    assert 'add "gateway.qq" to allow in [grants.untrusted]' in posing[1]
    assert 'add "test.ours" to calls_apis_of in [grants.untrusted]' in call


async def test_a_stranger_calls_the_trusted_plugins_that_are_named(deployment: Deployment) -> None:
    """And then as everybody does."""
    deployment.more = '[grants.untrusted]\nallow = ["api.call"]\ncalls_apis_of = ["test.ours"]'
    async with deployment.run() as supervisor:
        call = await use(supervisor, "api.call", api_name="test.ours.launch")

    assert call == {"success": True, "result": "launched"}
