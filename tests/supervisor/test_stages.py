"""Do the handlers of a stage get the arguments by priority, and does what they leave out stay?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.supervisor.breaker import Breaker
from rookery.supervisor.stages import Stages
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, chat, open_stage


def _stages(stage: Stage, timeout: float = 30.0) -> Stages:
    return Stages(stage.registry, stage.dispatcher, Breaker(), timeout=timeout)


def _handler(stage: Stage, plugin_id: str, name: str, answer: Any = None, **metadata: Any) -> None:
    stage.hook(plugin_id, name, answer, **{"stage": "pre_send", "blocking": True, **metadata})


def _changes(**kwargs: Any) -> dict[str, Any]:
    return {"success": True, "continue_processing": True, "modified_kwargs": kwargs}


async def test_larger_priorities_come_first_over_all_shards(autojump_clock: MockClock) -> None:
    """One after the other, then by plugin and name; those that do not block come last, whatever theirs is."""
    async with open_stage("one", "two") as stage:
        _handler(stage, "p.a", "low", {}, priority=1)
        _handler(stage, "p.b", "high", {}, priority=5, shard="two")
        _handler(stage, "p.a", "same", {}, priority=5)
        _handler(stage, "p.c", "sees", {}, priority=9, blocking=False)
        stage.hook("p.d", "other", {}, stage="another")

        result = await _stages(stage).dispatch("pre_send", text="a")
        await stage.settle()

        assert stage.asked == ["p.a.same", "p.b.high", "p.a.low", "p.c.sees"]
        assert result == {"text": "a"}
        assert stage.args_of("p.c.sees") == [{"stage": "pre_send", "text": "a"}]


async def test_changes_update_and_the_name_of_the_stage_is_no_argument(autojump_clock: MockClock) -> None:
    """W12: what a handler leaves out stays, which the original lost."""
    async with open_stage("one") as stage:
        _handler(stage, "p.a", "changes", lambda args: _changes(stage=args["stage"], text="new"), priority=1)
        _handler(stage, "p.b", "sees", {})

        result = await _stages(stage).dispatch("pre_send", text="old", kept=1)

        assert result == {"text": "new", "kept": 1}
        assert stage.args_of("p.b.sees") == [{"stage": "pre_send", "text": "new", "kept": 1}]


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param({"continue_processing": False}, id="in the older words"),
        pytest.param({"success": True, "action": "abort"}, id="in the newer words"),
    ],
)
async def test_a_handler_may_end_the_stage(autojump_clock: MockClock, stop: dict[str, Any]) -> None:
    """Later ones that block are not asked; those that only see it are."""
    async with open_stage("one") as stage:
        _handler(stage, "p.a", "stops", {**stop, "modified_kwargs": {"text": "last"}})
        _handler(stage, "p.b", "later", {})
        _handler(stage, "p.c", "sees", {}, blocking=False)

        result = await _stages(stage).dispatch("pre_send", text="first")
        await stage.settle()

        assert (stage.asked, result) == (["p.a.stops", "p.c.sees"], {"text": "last"})


@pytest.mark.parametrize("answer", [None, {"success": False, "modified_kwargs": {"text": "new"}}])
async def test_a_handler_that_fails_changes_nothing(autojump_clock: MockClock, answer: Any) -> None:
    """It takes too long, or says that it failed; the stage goes on."""
    async with open_stage("one") as stage:
        _handler(stage, "p.a", "fails", answer)
        _handler(stage, "p.b", "next", {})

        result = await _stages(stage, timeout=1.0).dispatch("pre_send", text="old")

        assert (result, stage.asked) == ({"text": "old"}, ["p.a.fails", "p.b.next"])


async def test_a_handler_is_passed_over_and_a_cancel_leaves_its_probe(autojump_clock: MockClock) -> None:
    """W8: it has a circuit as every handler of a hook."""
    async with open_stage("one") as stage:
        stages = _stages(stage, timeout=1.0)
        _handler(stage, "p.a", "late", Late(50.0, {}))
        for _ in range(4):
            await stages.dispatch("pre_send")
        before = stage.asked.count("p.a.late")
        await trio.sleep(60)
        with trio.move_on_after(0.5):
            await stages.dispatch("pre_send")

        await stages.dispatch("pre_send")

        assert (before, stage.asked.count("p.a.late")) == (3, 5)
        assert stage.counters.skipped == 1


async def test_a_handler_for_certain_chats_is_asked_for_those(autojump_clock: MockClock) -> None:
    """W24: as far as the arguments tell."""
    async with open_stage("one") as stage:
        _handler(stage, "p.a", "groups", {}, chat_scope="group")
        stages = _stages(stage)

        await stages.dispatch("pre_send", message=chat())
        await stages.dispatch("pre_send", message=chat(group="g"))
        await stages.dispatch("pre_send")

        assert stage.args_of("p.a.groups") == [{"stage": "pre_send", "message": chat(group="g")}]
