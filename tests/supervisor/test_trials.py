"""While newer code of a plugin is tried, the host calls and allows what it did before, and what the newer code needs besides."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from rookery.protocol import ComponentDeclaration, Exchange, RegisterComponents
from rookery.supervisor import Supervisor
from rookery.supervisor.component import Component
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.registry import Registry
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.trials import Trials
from tests.whole.host import Deployment

IT = "test.it"


class NotedGranting:
    """Notes what is granted to the plugin."""

    def __init__(self) -> None:
        self.granted: tuple[str, ...] = ()

    def grant(self, shard: object, plugin_id: str, wanted: list[str]) -> None:
        self.granted = tuple(wanted)

    def admit(self, shard: object, plugin_id: str) -> None:
        """It may use what everybody may."""

    def revoke(self, shard: object, plugin_id: str, reason: str) -> None:
        self.granted = ()


class NotedHolding:
    """Notes what is held."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    def hold(self, plugin_id: str) -> None:
        self.held.add(plugin_id)

    def release(self, plugin_id: str) -> None:
        self.held.discard(plugin_id)


class Shard:
    name = "one"


class Desk:
    """A registry with one plugin, and its trials."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.granting = NotedGranting()
        self.holding = NotedHolding()
        self.trials = Trials(self.registry, self.granting, self.holding)  # type: ignore[arg-type]
        self.trials.grant(Shard(), IT, ["send.text", "database.*"])  # type: ignore[arg-type]
        self.register("old", live=True)

    def register(self, name: str, *, live: bool) -> None:
        tool = ComponentDeclaration(name=name, component_type="TOOL")
        told = RegisterComponents(plugin_id=IT, components=[tool])
        self.registry.register(told, shard="one", is_trusted=True, live=live)

    def step(self, step: str, plugin_id: str = IT) -> None:
        self.trials.note(Shard(), Exchange(plugin_id=plugin_id, step=step))  # type: ignore[arg-type]

    def begin(self) -> None:
        """As a runner does: it says so, introduces the newer code and registers it."""
        self.step("trial")
        self.trials.grant(Shard(), IT, ["send.text", "chat.get_all_streams"])  # type: ignore[arg-type]
        self.register("new", live=IT not in self.trials)

    def known(self, name: str) -> Component | None:
        return self.registry.component(IT, name)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_on_trial_the_old_is_called_and_both_are_allowed(desk: Desk) -> None:
    """What the newer code registers is not called yet."""
    desk.begin()

    assert desk.known("old")
    assert not desk.known("new")
    assert set(desk.granting.granted) == {"send.text", "database.*", "chat.get_all_streams"}


def test_what_is_taken_takes_the_place_of_the_old(desk: Desk) -> None:
    """Components and grants, at once."""
    desk.begin()

    desk.step("taken")

    assert desk.known("new")
    assert not desk.known("old")
    assert desk.granting.granted == ("send.text", "chat.get_all_streams")
    assert IT not in desk.trials


def test_what_is_dropped_was_never_there(desk: Desk) -> None:
    """A later registration of the old code is nobody's business."""
    desk.begin()

    desk.step("dropped")

    assert desk.known("old")
    assert not desk.known("new")
    assert desk.granting.granted == ("send.text", "database.*")
    desk.registry.publish([IT], [])
    assert not desk.known("new")


@pytest.mark.parametrize("step", ["taken", "dropped", "nonsense"])
def test_a_step_that_does_not_follow_changes_nothing(desk: Desk, step: str) -> None:
    """Nor does a trial of a plugin that is not there."""
    desk.step(step)
    desk.step("trial", "test.stranger")

    assert desk.known("old")
    assert desk.granting.granted == ("send.text", "database.*")
    assert "test.stranger" not in desk.trials


def test_a_trial_ends_with_its_runner(desk: Desk) -> None:
    """The next runner registers as any other."""
    desk.begin()

    desk.trials.forget("another")
    assert IT in desk.trials
    desk.trials.forget("one")

    assert IT not in desk.trials


def test_calls_are_held_while_a_plugin_is_away(desk: Desk) -> None:
    """Until it is back, or its runner is gone."""
    desk.step("away")
    away = set(desk.holding.held)
    desk.step("back")
    back = set(desk.holding.held)
    desk.step("away")
    desk.trials.forget("one")

    assert (away, back, desk.holding.held) == ({IT}, set(), set())


OLD = """
@tool("old")
async def old(self):
    return "old"

@event_handler("on_message", intercept=True)
async def see(self, message: Message):
    return None
"""


@pytest.mark.slow
async def test_what_only_the_old_code_has_is_called_during_a_trial_that_fails(
    tmp_path: Path, state_dir: Path
) -> None:
    """A component that the newer code has dropped is there all the time, because the newer code never came to be."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "it", OLD)
    async with deployment.run() as supervisor:
        code = next(tmp_path.rglob("plugin.py"))
        head = code.read_text().split("class It")[0]
        late = "    async def on_load(self):\n        await trio.sleep(0.5)\n        raise ValueError('no')\n"
        code.write_text(f"{head}class It(Plugin):\n{late}")
        answers = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.reload_plugin, IT)
            with trio.move_on_after(1.0):
                while True:
                    answers.append(await _ask(supervisor))
                    await trio.sleep(0.005)
        assert supervisor.shards["one"].state.value is ShardState.READY
    assert set(answers) == {"old"}
    assert len(answers) > 20


async def _ask(supervisor: Supervisor) -> str:
    try:
        return str(await supervisor.invoke(IT, "old"))
    except DispatchFailed as failure:
        return str(failure)
