"""E17, W1: a runner names other plugins on its own connection, or wants more for its own than it may have.

What it claims for another is the end of it; what it claims for itself gives it nothing. Both stand in the audit record, and
those next door keep what they have.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor import DispatchFailed, Supervisor
from rookery.supervisor.audit_lines import read_audit
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.observers import RunnerDied, SecurityViolation
from tests.faults.test_e_hostile import HOSTILE
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

MORE = r"""

def asks(method, plugin, payload):
    return lambda to: write(to, envelope(10_000_000, REQUEST, method, plugin, payload))


OTHER, OWN = "test.bystander", "test.evil"
COMPONENT = {"name": "greet", "component_type": "TOOL", "metadata": {}}

ATTACKS.update({
    "a grant for another": asks("plugin.bootstrap", OTHER, {"plugin_id": OTHER, "capabilities_required": ["*"]}),
    "a grant for another in its own name": asks("plugin.bootstrap", OWN, {
        "plugin_id": OTHER, "capabilities_required": ["*"]}),
    "no grant for another": asks("plugin.bootstrap", OTHER, {"plugin_id": OTHER, "capabilities_required": []}),
    "the end of another": asks("plugin.unregister", OTHER, {"plugin_id": OTHER, "reason": "x"}),
    "another's component": asks("plugin.register_components", OTHER, {
        "plugin_id": OTHER, "components": [COMPONENT]}),
    "another's component in its own name": asks("plugin.register_plugin", OWN, {
        "plugin_id": OTHER, "components": [COMPONENT]}),
    "another's gateway": asks("host.update_message_gateway_state", OTHER, {"gateway_name": "out", "ready": True}),
    "another's database": asks("cap.call", OTHER, {
        "capability": "database.delete", "args": {"model_name": "Score", "filters": {"id": 1}}}),
    "a plugin of nobody's": asks("plugin.bootstrap", "test.nobody", {
        "plugin_id": "test.nobody", "capabilities_required": ["*"]}),
    "everything for itself": asks("plugin.bootstrap", OWN, {"plugin_id": OWN, "capabilities_required": [
        "*", "component.disable", "database.*", "config.get"]}),
    "a component called like another's": asks("plugin.register_components", OWN, {
        "plugin_id": OWN, "components": [COMPONENT, {"name": "ask", "component_type": "TOOL", "metadata": {}},
        {"name": "attack", "component_type": "TOOL", "metadata": {}},
        {"name": "forge", "component_type": "TOOL", "metadata": {}}]}),
})


async def ask(self, name: str, args: dict):
    try:
        return await self.ctx.call_capability(name, **args)
    except Exception as error:
        return str(getattr(error, "code", error))


It.ask = tool("ask")(ask)
"""

SLOW = """
@tool("greet")
async def greet(self):
    return "genuine"

@tool("wait")
async def wait(self):
    import trio
    await trio.sleep(0.3)
    return "genuine"

@tool("score")
async def score(self) -> int:
    return await self.ctx.call_capability("database.count", model_name="Score")

@tool("save")
async def save(self):
    return await self.ctx.call_capability("database.save", model_name="Score", data={"points": 1})
"""

FOR_OTHERS = [
    "a grant for another",
    "a grant for another in its own name",
    "no grant for another",
    "the end of another",
    "another's component",
    "another's component in its own name",
    "another's gateway",
    "another's database",
    "a plugin of nobody's",
]


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """The hostile one may read the host's configuration; the one next door has a record in its database."""
    made = Deployment(tmp_path, state_dir)
    made.module("hostile", "evil", HOSTILE + MORE, capabilities=["config.get"])
    made.plugin("other", "bystander", SLOW, capabilities=["database.*"])
    yield made
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


async def attack(supervisor: Supervisor, how: str) -> object:
    try:
        return await supervisor.invoke("test.evil", "attack", {"how": how, "host": os.getpid()}, timeout=20.0)
    except DispatchFailed as failure:
        return failure


def audit(deployment: Deployment, shard: str, *kinds: str) -> list[dict[str, Any]]:
    return [
        entry for entry in read_audit(deployment.state) if entry["shard"] == shard and entry["what"] in kinds
    ]


@pytest.mark.parametrize("how", FOR_OTHERS)
async def test_who_names_another_plugin_is_killed_and_changes_nothing_of_it(
    deployment: Deployment, how: str
) -> None:
    """Its grants, its component and its records are as before; the record tells the claim and the kill."""
    async with deployment.run() as supervisor:
        await supervisor.invoke("test.bystander", "save")
        before = supervisor.parts.registry.registration("test.bystander")

        await attack(supervisor, how)
        died = await deployment.wait_told(RunnerDied, lambda died: not died.report.planned)

        after = supervisor.parts.registry.registration("test.bystander")
        may = supervisor.parts.grants.allows("test.bystander", "database.count")
        more = supervisor.parts.grants.allows("test.bystander", "send.text")
        count = await supervisor.invoke("test.bystander", "score")
        greeting = await supervisor.invoke("test.bystander", "greet")
        nobody = supervisor.parts.grants.allows("test.nobody", "config.get")

    assert died.report.kind is ExitKind.PROTOCOL
    assert after is before
    assert (may, more, nobody) == (True, False, False)
    assert (count, greeting) == (1, "genuine")
    [violation] = deployment.told(SecurityViolation)
    assert (violation.shard, violation.incarnation) == ("hostile", 1)
    claimed, killed = audit(deployment, "hostile", "violation", "killed")
    assert (claimed["what"], claimed["incarnation"], claimed["reason"]) == ("violation", 1, violation.claim)
    assert (killed["what"], killed["incarnation"], killed["kind"]) == ("killed", 1, "protocol")
    assert audit(deployment, "other", "violation", "killed", "died", "denied") == []


async def test_who_grants_itself_more_has_what_its_manifest_declares(deployment: Deployment) -> None:
    """W1: what it asked for stands in the record as withheld, and what it then tries as denied."""
    async with deployment.run() as supervisor:
        await attack(supervisor, "everything for itself")
        got = {
            name: await supervisor.invoke("test.evil", "ask", {"name": name, "args": args})
            for name, args in (
                ("database.count", {"model_name": "Score"}),
                ("component.disable", {"name": "test.bystander.greet", "component_type": "TOOL"}),
                ("config.get", {"key": "name"}),
            )
        }

    assert got["config.get"] == {"success": True, "value": "test"}
    assert (got["database.count"], got["component.disable"]) == ("E_CAPABILITY_DENIED",) * 2
    granted = audit(deployment, "hostile", "granted")[-1]
    assert granted["capabilities"] == ["config.get"]
    assert granted["withheld"] == ["*", "component.disable", "database.*"]
    denied = [entry["capability"] for entry in audit(deployment, "hostile", "denied")]
    assert denied == ["database.count", "component.disable"]
    assert [died for died in deployment.told(RunnerDied) if not died.report.planned] == []


async def test_a_component_called_like_anothers_is_another_component(deployment: Deployment) -> None:
    """A full name begins with the plugin: nobody is asked in another's place."""
    async with deployment.run() as supervisor:
        await attack(supervisor, "a component called like another's")
        answers = [await supervisor.invoke(plugin, "greet") for plugin in ("test.bystander", "test.evil")]

    assert answers == ["genuine", "hello"]
    assert deployment.told(SecurityViolation) == []


async def test_nobody_answers_for_another(deployment: Deployment) -> None:
    """Answers with every number that the host may have given are heard on the connection they came on only."""
    async with deployment.run() as supervisor:
        answers: list[object] = []

        async with trio.open_nursery() as nursery:

            async def ask_next_door() -> None:
                answers.append(await supervisor.invoke("test.bystander", "wait"))

            nursery.start_soon(ask_next_door)
            await supervisor.invoke("test.evil", "forge", {"host": os.getpid(), "first": 1, "count": 60})

    assert answers == ["genuine"]
    assert [died for died in deployment.told(RunnerDied) if not died.report.planned] == []
