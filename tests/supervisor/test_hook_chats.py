"""Is a handler of a hook asked for the chats that it was declared for, and for no others?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.supervisor.hook_spec import HookSpec
from tests.doubles.stage import Stage, chat, open_stage

GATE = "test.gate"


async def _fire(stage: Stage, **kwargs: Any) -> None:
    await stage.hooks.invoke(GATE, **kwargs)
    await stage.settle()


@pytest.mark.parametrize(
    ("kwargs", "asked"),
    [
        pytest.param(
            {"message": chat(group="g")}, ["p.a.all", "p.a.groups", "p.a.one"], id="a group's message"
        ),
        pytest.param({"message": chat()}, ["p.a.all"], id="somebody's message"),
        pytest.param({"session_id": "test:group:g"}, ["p.a.all", "p.a.groups", "p.a.one"], id="a session"),
        pytest.param(
            {"stream_id": "opaque", "group_id": "g"}, ["p.a.all", "p.a.groups", "p.a.one"], id="a group"
        ),
        pytest.param({"price": 1}, ["p.a.all"], id="no chat at all"),
    ],
)
async def test_a_handler_for_certain_chats_is_asked_for_those(
    autojump_clock: MockClock, kwargs: dict[str, Any], asked: list[str]
) -> None:
    """W24: as far as the arguments tell; what nobody knows is no such chat."""
    async with open_stage("one") as stage:
        stage.specs.add(HookSpec(name=GATE))
        stage.hook("p.a", "all", {}, hook=GATE)
        stage.hook("p.a", "groups", {}, hook=GATE, chat_scope="group")
        stage.hook("p.a", "one", {}, hook=GATE, metadata={"allowed_session": ["g"]})

        await _fire(stage, **kwargs)

        assert stage.asked == asked


async def test_a_handler_is_switched_off_in_one_chat(autojump_clock: MockClock) -> None:
    """The others have it as before."""
    async with open_stage("one") as stage:
        stage.specs.add(HookSpec(name=GATE))
        stage.hook("p.a", "sees", {}, hook=GATE)
        stage.registry.set_enabled("p.a.sees", False, "test:group:g")

        for group in ("g", "h", "g"):
            await _fire(stage, message=chat(group=group))

        assert [args["message"]["message_info"]["group_info"]["group_id"] for _, args in stage.seen] == ["h"]


@pytest.mark.parametrize("name", ["", "  "])
async def test_a_hook_has_a_name(autojump_clock: MockClock, name: str) -> None:
    """An empty one is the caller's mistake."""
    async with open_stage("one") as stage:
        with pytest.raises(ValueError, match="has a name"):
            await stage.hooks.invoke(name)
