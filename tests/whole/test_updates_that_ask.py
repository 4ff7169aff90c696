"""An update of a stranger's plugin that asks for more: in a real bot, over reloads and restarts, until somebody approves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.audit_lines import read_audit
from rookery.supervisor.observers import CapabilitiesHeld
from tests.whole.deployment import rookery
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

ASKS = """
    @tool(description="")
    async def use(self, name: str, args: dict) -> object:
        try:
            return await self.ctx.call_capability(name, **args)
        except Exception as error:
            return str(error)

    @tool(description="")
    async def version(self) -> int:
        return 1
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    made = Deployment(tmp_path, state_dir)
    made.plugin("guests", "guest", ASKS, capabilities=["config.get"])
    made.tables["guests"] = 'trust = "untrusted"\nown_user = false'
    made.more = '[grants.untrusted]\nallow = ["config.get", "tool.*"]'
    return made


def update(deployment: Deployment) -> None:
    """Newer code, which asks for the tools too."""
    directory = deployment.directory / "plugins" / "test.guest"
    manifest, code = directory / "plugin.toml", directory / "plugin.py"
    manifest.write_text(
        manifest.read_text().replace('["config.get"]', '["config.get", "tool.get_definitions"]')
    )
    code.write_text(code.read_text().replace("return 1", "return 2"))


async def look(supervisor: Supervisor) -> tuple[int, Any, Any]:
    """The version that runs, what it reads of the configuration, and what it gets of the tools."""

    async def use(name: str, **args: Any) -> Any:
        answer = await supervisor.invoke("test.guest", "use", {"name": name, "args": args})
        return answer.get("success") if isinstance(answer, dict) else answer

    version = await supervisor.invoke("test.guest", "version")
    return version, await use("config.get", key="name"), await use("tool.get_definitions")


async def test_an_update_runs_with_what_it_had_until_it_is_approved(deployment: Deployment) -> None:
    """Its newer code serves; what it asks for besides is refused, told, shown, and granted by one command, at once."""
    config = deployment.write()
    async with deployment.run() as supervisor:
        before = await look(supervisor)
        update(deployment)
        reloaded = await supervisor.reload_plugin("test.guest")
        held = await look(supervisor)
        status = await rookery("status", config, state=deployment.state)
        listed = await rookery("grants", "--config", config, "--json", state=deployment.state)
        approved = await rookery(
            "grants", "approve", "test.guest", "--config", config, state=deployment.state
        )
        after = await look(supervisor)

    assert reloaded
    assert before[:2] == (1, True)
    assert held[:2] == (2, True)
    assert "rookery grants approve test.guest tool.get_definitions" in held[2]
    assert [told.capabilities for told in deployment.told(CapabilitiesHeld)] == [("tool.get_definitions",)]
    assert "test.guest asks for more than was approved: tool.get_definitions" in status.out
    [row] = json.loads(listed.out)
    assert [(each["name"], each["verdict"]) for each in row["asks"]] == [
        ("config.get", "granted"),
        ("tool.get_definitions", "held back"),
    ]
    assert "test.guest may ask for tool.get_definitions" in approved.out
    assert after == (2, True, True)
    written = [entry["what"] for entry in read_audit(deployment.state) if entry["plugin"] == "test.guest"]
    noted = [what for what in written if what in ("held", "denied", "approved")]
    assert noted == ["denied", "held", "denied", "approved"], "denied first because it had not asked"


async def test_a_restart_approves_nothing(deployment: Deployment) -> None:
    """The manifest was changed while nothing ran: what it had asked for at first is remembered."""
    config = deployment.write()
    async with deployment.run() as supervisor:
        assert (await look(supervisor))[:2] == (1, True)
    update(deployment)

    listed = await rookery("grants", "--config", config, state=deployment.state)
    async with deployment.run() as supervisor:
        held = await look(supervisor)
    approved = await rookery(
        "grants", "approve", "test.guest", "tool.get_definitions", "--config", config, state=deployment.state
    )
    async with deployment.run() as supervisor:
        after = await look(supervisor)

    [line] = [line for line in listed.lines if "tool.get_definitions" in line]
    assert "held back" in line
    assert "rookery grants approve" in held[2]
    assert approved.code == 0
    assert after == (2, True, True)
    assert "approved" in {entry["what"] for entry in read_audit(deployment.state)}


LISTENS = """
        @event_handler("on_message")
        async def listen(self, message: dict) -> None:
            pass
"""


async def test_an_update_that_begins_to_listen_hears_nothing_until_it_is_approved(
    deployment: Deployment,
) -> None:
    """Its level is granted that, and it was let in without; a restart in between approves nothing either."""
    deployment.more = '[grants.untrusted]\nallow = ["config.get", "listen.events"]'
    config = deployment.write()

    async def offered(supervisor: Supervisor) -> list[str]:
        registration = supervisor.parts.registry.registration("test.guest")
        return [] if registration is None else [each.name for each in registration.components]

    async with deployment.run() as supervisor:
        before = await offered(supervisor)
        code = deployment.directory / "plugins" / "test.guest" / "plugin.py"
        code.write_text(code.read_text() + LISTENS)
        assert await supervisor.reload_plugin("test.guest")
        reloaded = await offered(supervisor)
    async with deployment.run() as supervisor:
        restarted = await offered(supervisor)
        status = await rookery("status", config, state=deployment.state)
        approved = await rookery(
            "grants", "approve", "test.guest", "--config", config, state=deployment.state
        )
        told = await rookery("reload", "test.guest", "--config", config, state=deployment.state)
        after = await offered(supervisor)
    listed = await rookery("grants", "--config", config, state=deployment.state)

    assert before == reloaded == restarted == ["use", "version"]
    assert "test.guest asks for more than was approved: listen.events" in status.out
    assert "test.guest may ask for listen.events" in approved.out
    assert "`rookery reload test.guest`" in approved.out
    assert told.code == 0
    assert after == ["use", "version", "listen"]
    [line] = [line for line in listed.lines if "listen.events" in line]
    assert "granted" in line


async def test_what_is_not_held_back_cannot_be_approved(deployment: Deployment) -> None:
    """A slip is told with what was meant; a plugin that asks for no more needs nothing."""
    config = deployment.write()
    async with deployment.run():
        pass

    nothing = await rookery("grants", "approve", "test.guest", "--config", config, state=deployment.state)
    nobody = await rookery("grants", "approve", "test.gest", "--config", config, state=deployment.state)
    slip = await rookery(
        "grants", "approve", "test.guest", "tool.x", "--config", config, state=deployment.state
    )

    assert (nothing.code, nothing.out) == (0, "nothing of test.guest is held back\n")
    assert (nobody.code, slip.code) == (1, 1)
    assert "did you mean 'test.guest'?" in nobody.err
    assert "'tool.x' of test.guest is not held back" in slip.err
