"""Does a call of an API end in its caller's time, tell how it ended, and run in no circle?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import PLUGIN_CANCEL, ErrorCode, RemoteError
from rookery.supervisor import api_calls
from rookery.supervisor.api_calls import MAX_DEPTH, ApiCalls, Origin
from rookery.supervisor.api_table import ApiRefused, ApiTable
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.fake_links import Late, Sent
from tests.doubles.stage import Stage, open_stage, said

HOST = Origin(plugin_id="p.caller")


def _calls(stage: Stage) -> ApiCalls:
    return ApiCalls(ApiTable(stage.registry), stage.dispatcher)


async def _call(calls: ApiCalls, name: str, seconds: float = 30.0, origin: Origin = HOST, **args: Any) -> Any:
    return await calls.call(origin, name, "", args, deadline=trio.current_time() + seconds)


async def test_an_api_of_another_shard_answers(autojump_clock: MockClock) -> None:
    """With what it returned; it gets the arguments as they were given."""
    async with open_stage("one", "two") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "lookup", said([1, 2]), public=True, shard="two")

        result = await _call(calls, "lookup", x=1)

        assert result == [1, 2]
        assert stage.args_of("p.b.lookup") == [{"x": 1}]
        assert calls.open_calls == 0


async def test_a_dynamic_api_is_told_by_which_name_it_was_called(autojump_clock: MockClock) -> None:
    """One function may stand behind several, and is called by its own name. No caller says which one it was."""
    async with open_stage("one") as stage:
        calls = _calls(stage)
        handler = {"handler_name": "serve_all", "dynamic": True, "public": True}
        stage.offer("api", "p.b", "lookup", said("never"), **handler)
        stage._handlers["p.b", "serve_all"] = lambda args: said(args)

        result = await _call(calls, "lookup", x=1, __maibot_api_name__="private")

        assert result == {
            "x": 1,
            "__maibot_api_name__": "lookup",
            "__maibot_api_full_name__": "p.b.lookup",
            "__maibot_api_version__": "1",
        }


# --- time --------------------------------------------------------------------------------------------------------------


async def test_a_callee_has_no_more_time_than_its_caller(autojump_clock: MockClock) -> None:
    """The caller hears of the time-out before its own time is up, and the callee is told to stop."""
    async with open_stage("one") as stage:
        stage.dispatcher.open_shard("one", stage.links["one"], cancels=True)  # type: ignore[arg-type]
        calls = _calls(stage)
        stage.offer("api", "p.b", "slow", None, public=True, timeout_ms=60_000)
        began = trio.current_time()

        with pytest.raises(DispatchFailed) as caught:
            await _call(calls, "slow", 2.0)

        assert trio.current_time() - began < 2.5
        (sent,) = stage.links["one"].sent
        assert sent.deadline - began <= 1.9
        assert (caught.value.fate, caught.value.maybe_executed) == (Fate.TIMEOUT, True)
        assert [method for method, _ in stage.links["one"].told] == [PLUGIN_CANCEL]


async def test_an_api_has_at_most_the_time_that_its_author_gave_it(autojump_clock: MockClock) -> None:
    """However long its caller would wait; one without a word about it has a minute."""
    async with open_stage("one") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "quick", None, public=True, timeout_ms=500)
        stage.offer("api", "p.b", "usual", None, public=True)
        began = trio.current_time()

        async with trio.open_nursery() as nursery:
            for name in ("quick", "usual"):
                nursery.start_soon(_expect_failure, calls, name, 1000.0)

        deadlines = {sent.component: sent.deadline - began for sent in stage.links["one"].sent}
        assert deadlines == pytest.approx({"quick": 0.5, "usual": 60.0})


async def test_a_caller_that_gives_up_gives_up_its_call(autojump_clock: MockClock) -> None:
    """Nobody works on for nobody."""
    async with open_stage("one") as stage:
        stage.dispatcher.open_shard("one", stage.links["one"], cancels=True)  # type: ignore[arg-type]
        calls = _calls(stage)
        stage.offer("api", "p.b", "slow", None, public=True)

        with trio.move_on_after(1):
            await _call(calls, "slow")

        assert [method for method, _ in stage.links["one"].told] == [PLUGIN_CANCEL]
        assert calls.open_calls == 0


async def test_a_call_within_a_call_ends_before_that_one(autojump_clock: MockClock) -> None:
    """Whatever time the plugin in the middle asks for."""
    async with open_stage("one") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "first", None, public=True)
        stage.offer("api", "p.c", "second", None, public=True)
        stage.offer("api", "p.d", "third", None, public=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_failure, calls, "first", 1000.0)
            await trio.testing.wait_all_tasks_blocked()  # it has the number 0, which stands for none
            nursery.start_soon(_expect_failure, calls, "second", 5.0)
            await trio.testing.wait_all_tasks_blocked()
            outer = stage.links["one"].sent[1]

            inner = Origin(plugin_id="p.c", link=stage.links["one"], within=outer.number)  # type: ignore[arg-type]
            nursery.start_soon(_expect_failure, calls, "third", 1000.0, inner)
            await trio.testing.wait_all_tasks_blocked()

            assert stage.links["one"].sent[2].deadline < outer.deadline


# --- ends --------------------------------------------------------------------------------------------------------------


async def _expect_failure(calls: ApiCalls, name: str, seconds: float, origin: Origin = HOST) -> None:
    with pytest.raises(DispatchFailed):
        await _call(calls, name, seconds, origin)


@pytest.mark.parametrize(
    ("answer", "fate", "maybe_executed"),
    [
        pytest.param({"success": False, "result": "ValueError"}, Fate.HANDLER_ERROR, True, id="it raised"),
        pytest.param(Late(1.0, {"success": False}), Fate.HANDLER_ERROR, True, id="it raised, later"),
        pytest.param(None, Fate.TIMEOUT, True, id="it does not answer"),
        pytest.param(
            RemoteError(ErrorCode.E_PLUGIN_NOT_FOUND, "gone"), Fate.UNAVAILABLE, False, id="it is not there"
        ),
    ],
)
async def test_each_end_has_its_kind(
    autojump_clock: MockClock, answer: Any, fate: Fate, maybe_executed: bool
) -> None:
    """A caller can tell what it may try again."""
    async with open_stage("one") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "lookup", answer, public=True)

        with pytest.raises(DispatchFailed) as caught:
            await _call(calls, "lookup", 5.0)

        assert (caught.value.fate, caught.value.maybe_executed) == (fate, maybe_executed)


async def test_a_callee_whose_runner_dies_is_told_apart_from_one_that_had_not_begun(
    autojump_clock: MockClock,
) -> None:
    """What had not begun waits for the next runner."""
    async with open_stage("one") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "lookup", None, public=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_lost, calls)
            await trio.testing.wait_all_tasks_blocked()
            stage.lose("one")


async def _expect_lost(calls: ApiCalls) -> None:
    with pytest.raises(DispatchFailed) as caught:
        await _call(calls, "lookup")
    assert (caught.value.fate, caught.value.maybe_executed) == (Fate.RUNNER_LOST, True)


# --- circles -----------------------------------------------------------------------------------------------------------


async def test_a_circle_ends_and_its_error_names_it(autojump_clock: MockClock) -> None:
    """Two plugins that call each other for ever go so deep and no deeper."""
    async with open_stage("one", "two") as stage:
        calls = _calls(stage)
        links = {"p.a": stage.links["one"], "p.b": stage.links["two"]}
        refusals: list[ApiRefused] = []
        async with trio.open_nursery() as nursery:

            async def go_on(plugin_id: str, target: str, sent: Sent) -> None:
                origin = Origin(plugin_id=plugin_id, link=links[plugin_id], within=sent.number)  # type: ignore[arg-type]
                try:
                    await _call(calls, target, origin=origin)
                except ApiRefused as refused:
                    refusals.append(refused)
                    sent.settle({"success": True, "result": None})
                except DispatchFailed:
                    pass
                else:
                    sent.settle({"success": True, "result": None})

            def script(plugin_id: str, target: str) -> Any:
                def answer(sent: Sent) -> None:
                    nursery.start_soon(go_on, plugin_id, target, sent)

                return answer

            stage.offer("api", "p.a", "ping", public=True, shard="one")
            stage.offer("api", "p.b", "pong", public=True, shard="two")
            for number in range(
                2
            ):  # so that the numbers of what follows do not begin with 0, which means none
                for link, name in ((links["p.a"], "ping"), (links["p.b"], "pong")):
                    link.script = lambda sent: said(None)
                    await _call(calls, name, number=number)
            links["p.a"].script = script("p.a", "pong")
            links["p.b"].script = script("p.b", "ping")

            await _call(calls, "ping")

        (refused,) = refusals
        assert "too deep, more than 16 times: p.caller → p.a.ping → p.b.pong → p.a.ping → … → " in str(
            refused
        )
        assert len(links["p.a"].sent) + len(links["p.b"].sent) - 4 == MAX_DEPTH
        assert calls.open_calls == 0


async def test_a_runner_that_hides_where_its_calls_come_from_has_only_so_many(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A circle that nobody tells of is bounded all the same; other plugins call on."""
    monkeypatch.setattr(api_calls, "MAX_OPEN", 3)
    async with open_stage("one") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "slow", Late(5.0, said(None)), public=True)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(_call, calls, "slow")
            await trio.testing.wait_all_tasks_blocked()

            with pytest.raises(ApiRefused, match=r"3 calls of APIs by p.caller have not ended.*p\.b\.slow"):
                await _call(calls, "slow")
            await _call(calls, "slow", origin=Origin(plugin_id="p.other"))


async def test_a_claim_of_another_plugins_call_counts_for_nothing(autojump_clock: MockClock) -> None:
    """A runner cannot lend itself the time or the place of a call that is not its own."""
    async with open_stage("one") as stage:
        calls = _calls(stage)
        stage.offer("api", "p.b", "slow", Late(5.0, said(None)), public=True)
        stage.offer("api", "p.c", "quick", said("done"), public=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_call, calls, "slow")
            nursery.start_soon(_call, calls, "slow")
            await trio.testing.wait_all_tasks_blocked()
            link: Any = stage.links["one"]
            link.session = _NoSession()

            liar = Origin(plugin_id="p.d", link=link, within=link.sent[1].number)
            opened = calls._parent(liar)
            result = await _call(calls, "quick", origin=liar)

            assert (opened, result) == (None, "done")


class _NoSession:
    """Nothing is pending."""

    pending: dict[int, Any] = {}  # noqa: RUF012  # never written
