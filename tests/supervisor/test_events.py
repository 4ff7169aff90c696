"""Does an event reach its handlers in order, and can only those change it that may?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import ErrorCode, MessageMap, RemoteError, with_text
from rookery.supervisor.events import EventResult
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, chat, open_stage

STOP = {"continue_processing": False}


async def _dispatch(stage: Stage, message: MessageMap | None = None) -> EventResult:
    result = await stage.events.dispatch("on_message", chat() if message is None else message)
    await stage.settle()
    return result


def says(text: str, **more: Any) -> Any:
    """A handler that makes the message say something else."""
    return lambda args: {"success": True, "modified_message": with_text(args["message"], text), **more}


# --- interceptors ------------------------------------------------------------------------------------------------------


async def test_interceptors_run_one_after_the_other_in_the_total_order(autojump_clock: MockClock) -> None:
    """Weight descending, then plugin id, then name, over all shards; each sees what the one before left."""
    async with open_stage("one", "two") as stage:

        def adds(args: dict[str, Any]) -> Any:
            text = args["message"]["processed_plain_text"]
            return Late(0.5, {"modified_message": with_text(args["message"], text + "+")})

        stage.interceptor("p.b", "light", adds, weight=-1, shard="one")
        stage.interceptor("p.c", "heavy", adds, weight=10, shard="two")
        stage.interceptor("p.b", "even", adds, shard="one")
        stage.interceptor("p.a", "even", adds, shard="two")

        result = await _dispatch(stage, chat("a"))

        assert stage.asked == ["p.c.heavy", "p.a.even", "p.b.even", "p.b.light"]
        texts = [args["message"]["processed_plain_text"] for _, args in stage.seen]
        assert texts == ["a", "a+", "a++", "a+++"]
        assert result.message is not None
        assert result.message["processed_plain_text"] == "a++++"
        assert sorted(sent.at for link in stage.links.values() for sent in link.sent) == [0.0, 0.5, 1.0, 1.5]


async def test_a_handler_that_stops_the_event_keeps_its_change(autojump_clock: MockClock) -> None:
    """Nobody after it sees the event, watchers neither."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "stops", says("last", **STOP), weight=5)
        stage.interceptor("p.b", "later", {})
        stage.watcher("p.c", "sees", weight=99)

        result = await _dispatch(stage)

        assert stage.asked == ["p.a.stops"]
        assert (result.continues, result.stopped_by, result.observers) == (False, "p.a.stops", 0)
        assert result.message is not None
        assert result.message["processed_plain_text"] == "last"


async def test_the_session_of_a_changed_message_stays(autojump_clock: MockClock) -> None:
    """A handler cannot move a message into another conversation."""
    async with open_stage("one") as stage:
        message = chat()
        stage.interceptor("p.a", "moves", {"modified_message": {**chat("x"), "session_id": "test:group:vip"}})
        stage.watcher("p.b", "sees")

        result = await _dispatch(stage, message)

        assert result.message is not None
        assert result.message["session_id"] == message["session_id"]
        assert stage.args_of("p.b.sees")[0]["message"]["session_id"] == message["session_id"]


async def test_a_message_without_a_session_may_be_changed(autojump_clock: MockClock) -> None:
    """A host application's event may carry a message that belongs nowhere."""
    async with open_stage("one") as stage:
        message = chat()
        del message["session_id"]
        stage.interceptor("p.a", "changes", says("new"))

        result = await _dispatch(stage, message)

        assert result.errors == ()
        assert result.message == with_text(message, "new")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"message_id": "m"}, "platform: must be a text", id="half a message"),
        pytest.param({**chat(), "raw_message": "text"}, "raw_message: must be a list", id="no segments"),
        pytest.param("text", "message: must be a map", id="a text"),
        pytest.param([1], "message: must be a map", id="a list"),
    ],
)
async def test_a_changed_message_that_is_none_is_an_error_and_ignored(
    autojump_clock: MockClock, changed: Any, words: str
) -> None:
    """The others get the message as it was; the error names the handler."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "odd", {"modified_message": changed}, weight=1)
        stage.interceptor("p.b", "next", {})

        result = await _dispatch(stage, chat("old"))

        assert result.errors[0].startswith("p.a.odd returned a message that is none: ")
        assert words in result.errors[0]
        assert result.message == chat("old")
        assert stage.args_of("p.b.next")[0]["message"] == chat("old")
        assert stage.counters.errors == 1


@pytest.mark.parametrize("nothing", [None, {}, "", []])
async def test_no_change_is_no_error(autojump_clock: MockClock, nothing: Any) -> None:
    """Whatever form "nothing" has."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "sees", {"success": True, "modified_message": nothing})

        result = await _dispatch(stage, chat("old"))

        assert (result.errors, result.message) == ((), chat("old"))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"success": False}, id="it raised"),
        pytest.param(RemoteError(ErrorCode.E_UNKNOWN, "boom"), id="its runner refused"),
        pytest.param(None, id="it hangs"),
    ],
)
async def test_a_failing_interceptor_does_not_stop_the_event(autojump_clock: MockClock, answer: Any) -> None:
    """The failure is told and counted once, and the next handler is asked."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "fails", answer, weight=1, timeout_ms=1000)
        stage.interceptor("p.b", "next", {})

        result = await _dispatch(stage)

        assert stage.asked == ["p.a.fails", "p.b.next"]
        assert result.continues
        assert [error.partition(":")[0] for error in result.errors] == ["p.a.fails"]
        assert stage.counters.errors == 1


async def test_an_interceptor_in_a_shard_that_is_down_is_waited_for(autojump_clock: MockClock) -> None:
    """Up to its deadline; then the event goes on without it, and that is a loss and no error."""
    async with open_stage("one", closed=("gone",)) as stage:
        stage.interceptor("p.a", "away", STOP, weight=1, shard="gone", timeout_ms=3000)
        stage.interceptor("p.b", "next", {})

        result = await _dispatch(stage)

        assert trio.current_time() == pytest.approx(3.0, abs=0.1)
        assert result.continues
        assert (stage.counters.lost, stage.counters.errors) == (1, 0)
        assert "could not begin in time" in result.errors[0]


# --- those that only see -----------------------------------------------------------------------------------------------


async def test_watchers_get_the_final_message_all_at_once(autojump_clock: MockClock) -> None:
    """Whatever their weight; nobody waits for them, and they can neither change nor stop anything."""
    async with open_stage("one", "two") as stage:
        slow = Late(5.0, {**STOP, "modified_message": chat("from a watcher")})
        stage.watcher("p.a", "sees", slow, weight=100, shard="one")
        stage.watcher("p.b", "sees", slow, shard="two")
        stage.interceptor("p.c", "changes", says("final"), weight=-100)

        result = await stage.events.dispatch("on_message", chat("first"))

        assert trio.current_time() == 0.0
        assert (result.continues, result.observers) == (True, 2)
        assert stage.asked == ["p.c.changes", "p.a.sees", "p.b.sees"]
        watched = [args["message"] for name, args in stage.seen if name.endswith("sees")]
        assert watched == [result.message, result.message]
        assert watched[0]["processed_plain_text"] == "final"


async def test_the_caller_is_told_when_each_watcher_has_ended(autojump_clock: MockClock) -> None:
    """Once each, however it ended, and never before dispatch has returned their number."""
    async with open_stage("one", closed=("gone",)) as stage:
        stage.watcher("p.a", "well", Late(1.0, {}))
        stage.watcher("p.b", "away", {}, shard="gone", timeout_ms=2000)
        stage.watcher("p.c", "fails", RemoteError(ErrorCode.E_UNKNOWN, "boom"))
        stage.dispatcher.add_shard("given up", max_inflight=1, queue_limit=1)
        stage.dispatcher.close_shard("given up", given_up="it failed")
        stage.watcher("p.d", "gone", {}, shard="given up")
        told: list[Any] = []

        result = await stage.events.dispatch("on_message", chat(), on_observer_settled=told.append)
        told_at_once = list(told)
        await stage.settle()

        assert (result.observers, told_at_once) == (4, [])
        fates = {outcome.fate if isinstance(outcome, DispatchFailed) else None for outcome in told}
        assert len(told) == 4
        assert fates == {None, Fate.TIMEOUT, Fate.HANDLER_ERROR, Fate.UNAVAILABLE}


async def test_one_plugin_sees_a_session_in_order_and_sessions_in_parallel(autojump_clock: MockClock) -> None:
    """The key is the message's session, unless the caller names one."""
    async with open_stage("one") as stage:
        stage.watcher("p.a", "sees", Late(1.0, {}))
        for number, user in ((1, "u1"), (2, "u1"), (3, "u2")):
            await stage.events.dispatch("on_message", chat(user=user, number=number))
        await stage.events.dispatch("on_message", chat(user="u1", number=4), key="another")

        await stage.settle()

        times = {sent.args["message"]["message_id"]: sent.at for sent in stage.links["one"].sent}
        assert times == pytest.approx({"m1": 0.0, "m2": 1.0, "m3": 0.0, "m4": 0.0})


# --- who is asked ------------------------------------------------------------------------------------------------------


async def test_only_handlers_of_the_event_are_asked_that_may_have_it(autojump_clock: MockClock) -> None:
    """Of its type, enabled, and chosen by the caller."""
    async with open_stage("one") as stage:
        stage.watcher("p.a", "sees")
        stage.watcher("p.b", "off", enabled=False)
        stage.watcher("p.c", "other", event_type="on_start")
        stage.watcher("p.d", "not here")

        await stage.events.dispatch("on_message", chat())
        plain = list(stage.asked)
        await stage.events.dispatch("on_message", chat(), serves=lambda handler: handler.name == "not here")
        await stage.settle()

        assert plain == ["p.a.sees", "p.d.not here"]
        assert stage.asked[2:] == ["p.d.not here"]


async def test_an_event_of_the_host_application_may_carry_anything(autojump_clock: MockClock) -> None:
    """No message, further arguments, and nobody who listens."""
    async with open_stage("one") as stage:
        stage.watcher("p.a", "starts", event_type="on_start")

        result = await stage.events.dispatch("on_start", None, {"reason": "test"})
        unheard = await stage.events.dispatch("on_nothing")
        await stage.settle()

        assert stage.seen == [("p.a.starts", {"event_type": "on_start", "message": None, "reason": "test"})]
        assert (result.continues, result.message) == (True, None)
        assert (unheard.continues, unheard.observers) == (True, 0)
        assert stage.counters.events == 2


async def test_a_filter_is_judged_before_anything_is_sent(autojump_clock: MockClock) -> None:
    """By the message as it was dispatched; what an interceptor makes of it shows it to nobody else."""
    async with open_stage("one", "two") as stage:
        stage.interceptor(
            "p.a", "moves", {"modified_message": {**chat(user="u1"), "platform": "irc"}}, weight=9
        )
        stage.interceptor("p.b", "elsewhere", STOP, event_filter={"platforms": ["irc"]}, shard="two")
        stage.watcher("p.c", "there", event_filter={"platforms": ["TEST"], "users": ["u1"]}, shard="two")
        stage.watcher("p.d", "groups", chat_scope="group")

        result = await _dispatch(stage, chat())

        assert stage.asked == ["p.a.moves", "p.c.there"]
        assert (result.continues, result.observers) == (True, 1)
        assert [stage.registry.filtered(each) for each in stage.registry.event_handlers("on_message")] == [
            0,
            1,
            0,
            1,
        ]


async def test_a_result_unpacks_into_two(autojump_clock: MockClock) -> None:
    """Whether the event goes on, and the message as it is now."""
    async with open_stage("one") as stage:
        stage.interceptor("p.a", "stops", {"continue_processing": False})

        continues, message = await stage.events.dispatch("on_message", chat("hello"))

        assert (continues, message) == (False, chat("hello"))


async def test_a_handler_is_switched_off_in_one_chat(autojump_clock: MockClock) -> None:
    """W24: also by its group, for a message that does not say its session."""
    async with open_stage("one") as stage:
        stage.watcher("p.a", "sees")
        stage.registry.set_enabled("p.a.sees", False, "test:group:g")

        results = [await stage.events.dispatch("on_message", chat(group=group)) for group in ("g", "h")]

        assert [result.observers for result in results] == [0, 1]
