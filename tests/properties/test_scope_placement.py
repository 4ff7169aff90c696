"""Who is asked, by name or by an event, does not depend on shards: scopes, sessions, switches and circuits hold anywhere.

The same plugins on one shard, and on two to four in any way and order of registration: who is asked, which tool a short name
is, and which command a text calls have to be equal, and equal to a plain reading of what was declared and switched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rookery.supervisor.conversation import Conversation, conversation_of
from rookery.supervisor.hook_spec import HookSpec
from rookery.supervisor.toolbox import Toolbox
from tests.doubles.stage import Stage, chat, open_stage

SHARDS = ("s1", "s2", "s3", "s4")
PLUGINS = ("p.a", "p.b", "p.c", "p.d")
KINDS = ("event", "hook", "tool", "command")
SESSIONS = ("test:group:g", "test:group:h", "test:private:u1")
NAMES = ("g", "test:h", "test:private:u1", "elsewhere")
"""What may stand in ``allowed_session``."""
HOOK = "test.open"


@attrs.frozen
class Offer:
    """One component, apart from where it lives."""

    plugin_id: str
    kind: str
    scope: str
    sessions: tuple[str, ...]
    in_metadata: bool
    """Whether its restriction is said in the metadata only."""
    enabled: bool
    off_in: tuple[str, ...]
    """Sessions in which an operator has switched it off."""

    @property
    def full_name(self) -> str:
        return f"{self.plugin_id}.{self.kind}"

    def join(self, stage: Stage, shard: str) -> None:
        restriction = {"chat_scope": self.scope, "allowed_session": list(self.sessions)}
        metadata: dict[str, Any] = {
            "event": {"event_type": "on_message"},
            "hook": {"hook": HOOK},
            "tool": {},
            "command": {"command_name": "do"},
        }[self.kind]
        metadata = {**metadata, "enabled": self.enabled}
        declared = {"metadata": restriction} if self.in_metadata else restriction
        stage.offer(self.kind, self.plugin_id, self.kind, {}, shard=shard, **metadata, **declared)
        for session_id in self.off_in:
            stage.registry.set_enabled(self.full_name, False, session_id)

    def serves(self, session_id: str) -> bool:
        """What the words of the design say, read once more."""
        _, kind, name = session_id.split(":")
        group = [name, f"test:{name}"] if kind == "group" else []
        return (
            self.enabled
            and session_id not in self.off_in
            and self.scope in ("all", kind)
            and (not self.sessions or bool({session_id, *group} & set(self.sessions)))
        )


offers = st.lists(
    st.builds(
        Offer,
        plugin_id=st.sampled_from(PLUGINS),
        kind=st.sampled_from(KINDS),
        scope=st.sampled_from(["all", "all", "group", "private"]),
        sessions=st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple),
        in_metadata=st.booleans(),
        enabled=st.sampled_from([True, True, True, False]),
        off_in=st.lists(st.sampled_from(SESSIONS), max_size=2, unique=True).map(tuple),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda offer: offer.full_name,
)
placements = st.fixed_dictionaries({plugin_id: st.sampled_from(SHARDS) for plugin_id in PLUGINS})
ONE_SHARD = dict.fromkeys(PLUGINS, "s1")


def _message(session_id: str) -> dict[str, Any]:
    _, kind, name = session_id.split(":")
    return chat("!do", group=name) if kind == "group" else chat("!do", user=name)


def _play(offered: Sequence[Offer], shard_of: dict[str, str]) -> dict[str, Any]:
    """Who is asked in each session, by events and hooks, and who is found by name."""

    async def play() -> dict[str, Any]:
        async with open_stage(*SHARDS) as stage:
            stage.specs.add(HookSpec(name=HOOK))
            for offer in offered:
                offer.join(stage, shard_of[offer.plugin_id])
            toolbox = Toolbox(stage.registry, stage.dispatcher)
            found: dict[str, Any] = {}
            for session_id in SESSIONS:
                message = _message(session_id)
                stage.seen.clear()
                await stage.events.dispatch("on_message", message)
                await stage.hooks.invoke(HOOK, message=message)
                await stage.settle()
                conversation = conversation_of({"session_id": session_id})
                assert isinstance(conversation, Conversation)
                tool = toolbox.find("tool", conversation)
                command = toolbox.find_command("!do", conversation)
                found[session_id] = (
                    sorted(stage.asked),
                    "" if tool is None else tool.full_name,
                    "" if command is None else command.command.full_name,
                )
            return found

    return trio.run(play, clock=MockClock(autojump_threshold=0))  # type: ignore[no-any-return]


@pytest.mark.slow
@settings(max_examples=60)
@given(offers, placements, st.data())
def test_a_restriction_holds_wherever_a_plugin_lives(
    offered: list[Offer], shard_of: dict[str, str], order: st.DataObject
) -> None:
    """For events, hooks, tools and commands, wherever it is declared; the first who may be asked is the one."""
    together = _play(offered, ONE_SHARD)
    apart = _play(order.draw(st.permutations(offered)), shard_of)

    assert apart == together
    for session_id, (asked, tool, command) in apart.items():
        serving = sorted(each.full_name for each in offered if each.serves(session_id))
        assert asked == [name for name in serving if name.endswith((".event", ".hook"))]
        assert tool == next((name for name in serving if name.endswith(".tool")), "")
        assert command == next((name for name in serving if name.endswith(".command")), "")


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.dictionaries(st.sampled_from(PLUGINS), st.integers(0, 4), min_size=1),
    placements,
    st.lists(st.sampled_from([1.0, 40.0, 70.0]), min_size=4, max_size=7),
)
def test_a_circuit_opens_the_same_wherever_a_handler_lives(
    late_times: dict[str, int], shard_of: dict[str, str], pauses: list[float]
) -> None:
    """Handlers that come back late so many times, and then in time; one of them opens no other's."""

    def play(placed: dict[str, str]) -> Any:
        async def story() -> Any:
            async with open_stage(*SHARDS, timeout=1.0) as stage:
                left = dict(late_times)

                def answer(plugin_id: str) -> Any:
                    left[plugin_id] -= 1
                    return None if left[plugin_id] >= 0 else {}

                for plugin_id in late_times:
                    stage.interceptor(
                        plugin_id, "x", lambda _, own=plugin_id: answer(own), shard=placed[plugin_id]
                    )
                skipped = []
                for number, pause in enumerate(pauses):
                    result = await stage.events.dispatch("on_message", chat(user=f"u{number}"))
                    skipped.append(result.skipped)
                    await trio.sleep(pause)
                return skipped, stage.asked, stage.counters.skipped

        return trio.run(story, clock=MockClock(autojump_threshold=0))

    assert play(shard_of) == play(ONE_SHARD)
