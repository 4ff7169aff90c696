"""Is everything that plugins offer listed by kind, and counted?"""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from rookery.protocol import ComponentDeclaration, RegisterComponents
from rookery.supervisor.component import RouteType
from rookery.supervisor.component_queries import ComponentQueries
from rookery.supervisor.conversation import conversation_of_session
from tests.doubles.stage import Stage, open_stage


def _offer(stage: Stage) -> ComponentQueries:
    stage.offer("tool", "p.a", "weather")
    stage.offer("tool", "p.a", "smile", legacy_action=True)
    stage.offer("command", "p.b", "roll", shard="two", command_name="roll", chat_scope="group")
    stage.offer("tool", "p.b", "off", shard="two", enabled=False)
    stage.offer("gateway", "p.b", "out", shard="two", route_type="duplex", platform="IRC")
    return ComponentQueries(stage.registry)


async def test_components_are_listed_by_type_and_plugin(autojump_clock: MockClock) -> None:
    """What is switched off only when it is asked for; legacy actions are actions and no tools."""
    async with open_stage("one", "two") as stage:
        queries = _offer(stage)
        private = conversation_of_session("t:private:u")

        assert [each.name for each in queries.by_type("tool")] == ["weather"]
        assert [each.name for each in queries.by_type(" TOOL ", enabled_only=False)] == ["weather", "off"]
        assert [each.name for each in queries.by_type("ACTION")] == ["smile"]
        assert queries.by_type("COMMAND", conversation=private) == ()
        assert [each.name for each in queries.by_plugin("p.b", enabled_only=True)] == ["roll", "out"]
        assert queries.by_plugin("p.none") == ()
        with pytest.raises(ValueError, match="SPELL"):
            queries.by_type("spell")


async def test_one_is_found_by_its_full_name(autojump_clock: MockClock) -> None:
    """Or not."""
    async with open_stage("one", "two") as stage:
        queries = _offer(stage)

        found = queries.get("p.b.roll")

        assert found is not None
        assert (found.shard, queries.get("p.b.none")) == ("two", None)


async def test_gateways_are_found_by_what_they_carry(autojump_clock: MockClock) -> None:
    """Everything that is said has to fit."""
    async with open_stage("one", "two") as stage:
        queries = _offer(stage)

        assert [each.name for each in queries.gateways(platform="irc", plugin_id="p.b")] == ["out"]
        assert queries.gateways(route_type=RouteType.SEND) == ()
        stage.registry.set_enabled("p.b.out", False)
        assert (queries.gateways(), len(queries.gateways(enabled_only=False))) == ((), 1)


async def test_everything_is_counted(autojump_clock: MockClock) -> None:
    """By type, plugin and shard; types that nobody has are there with a zero."""
    async with open_stage("one", "two") as stage:
        counts = _offer(stage).counts()

        assert (counts.total, counts.plugins, counts.disabled) == (5, 2, 1)
        some = {name: counts.by_type[name] for name in ("tool", "action", "command", "event_handler")}
        assert some == {"tool": 2, "action": 1, "command": 1, "event_handler": 0}
        assert counts.by_plugin == {"p.a": 2, "p.b": 3}
        assert counts.by_shard == {"one": 2, "two": 3}


async def test_home_cards_have_an_order(autojump_clock: MockClock) -> None:
    """Their own, then by plugin and name; one that is off is not shown."""
    async with open_stage("one") as stage:
        cards = [
            ComponentDeclaration(name=name, component_type="HOME_CARD", metadata=metadata)
            for name, metadata in (("b", {}), ("a", {}), ("first", {"order": 1}), ("off", {"enabled": False}))
        ]
        stage.registry.register(
            RegisterComponents(plugin_id="p.a", components=cards), shard="one", is_trusted=True, live=True
        )

        assert [card.title for card in ComponentQueries(stage.registry).home_cards()] == ["first", "a", "b"]
