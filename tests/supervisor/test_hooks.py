"""Do the handlers of a hook get the arguments in order, and do only the rules decide what becomes of them?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import ErrorCode, RemoteError
from rookery.supervisor.hook_spec import HookSpec, Unavailable
from rookery.supervisor.hooks import HookResult
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, open_stage

GATE = "test.gate"
"""A hook at which everything is allowed."""

FAILED = {"success": False, "error_message": "ValueError: no"}


def changes(**kwargs: Any) -> dict[str, Any]:
    """The answer of a handler that changes arguments."""
    return {"success": True, "modified_kwargs": kwargs}


ABORT = {"success": True, "action": "abort"}


async def _fire(stage: Stage, **kwargs: Any) -> HookResult:
    result = await stage.hooks.invoke(GATE, **kwargs)
    await stage.settle()
    return result


def _know(stage: Stage, **fields: Any) -> None:
    stage.specs.add(HookSpec(name=GATE, **fields))


# --- order and merging -------------------------------------------------------------------------------------------------


async def test_blocking_handlers_run_in_the_total_order_over_all_shards(autojump_clock: MockClock) -> None:
    """Early, normal, late; trusted first; then plugin id; one after the other; observers after all of them."""
    async with open_stage("one", "two") as stage:
        _know(stage)
        answer = Late(0.5, {})
        stage.hook("p.z", "early", answer, hook=GATE, order="early", shard="two")
        stage.hook("p.a", "late", answer, hook=GATE, order="late", shard="one")
        stage.hook("p.c", "normal", answer, hook=GATE, shard="two")
        stage.hook("p.b", "normal", answer, hook=GATE, shard="one")
        stage.hook("p.d", "hostile", answer, hook=GATE, shard="two", is_trusted=False)
        stage.hook("p.0", "sees", answer, hook=GATE, mode="observe", order="early", shard="one")

        await _fire(stage)

        assert stage.asked == [
            "p.z.early",
            "p.b.normal",
            "p.c.normal",
            "p.d.hostile",
            "p.a.late",
            "p.0.sees",
        ]
        times = sorted(sent.at for link in stage.links.values() for sent in link.sent)
        assert times == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])


async def test_changes_update_and_what_they_leave_out_stays(autojump_clock: MockClock) -> None:
    """Each handler sees what the one before left; the caller's own map is not touched."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "first", changes(text="b"), hook=GATE)
        stage.hook("p.b", "second", lambda args: changes(text=args["text"] + "c", more=1), hook=GATE)
        given = {"text": "a", "kept": [1]}

        result = await stage.hooks.invoke(GATE, **given)

        assert result.kwargs == {"text": "bc", "kept": [1], "more": 1}
        assert given == {"text": "a", "kept": [1]}
        assert stage.args_of("p.b.second") == [{"hook_name": GATE, "text": "b", "kept": [1]}]
        assert (result.aborted, result.errors, result.skipped) == (False, (), ())


async def test_read_only_arguments_stay_and_the_other_changes_stand(autojump_clock: MockClock) -> None:
    """The attempt is an error of that handler, by name."""
    async with open_stage("one") as stage:
        _know(stage, read_only=frozenset({"plugin_id"}))
        stage.hook("p.a", "bold", changes(plugin_id="x", text="new"), hook=GATE)

        result = await _fire(stage, plugin_id="p.q", text="old")

        assert result.kwargs == {"plugin_id": "p.q", "text": "new"}
        assert result.errors == (f"p.a.bold may not change 'plugin_id' of {GATE}",)


async def test_nothing_changes_at_a_hook_that_allows_no_change(autojump_clock: MockClock) -> None:
    """And the handler's name is in the errors."""
    async with open_stage("one") as stage:
        _know(stage, allow_mutation=False)
        stage.hook("p.a", "bold", changes(text="new"), hook=GATE)

        result = await _fire(stage, text="old")

        assert result.kwargs == {"text": "old"}
        assert result.errors == (f"p.a.bold may not change the arguments of {GATE}",)


@pytest.mark.parametrize("nothing", [None, {}, [], "text", 7])
async def test_changes_that_are_no_map_change_nothing(autojump_clock: MockClock, nothing: Any) -> None:
    """Neither the arguments nor the flow."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "odd", {"success": True, "modified_kwargs": nothing}, hook=GATE)

        result = await _fire(stage, text="old")

        assert (result.kwargs, result.aborted) == ({"text": "old"}, False)


async def test_the_name_of_the_hook_never_becomes_an_argument(autojump_clock: MockClock) -> None:
    """Handlers are told it; a handler that returns everything it got does not smuggle it in."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "echo", lambda args: changes(**args), hook=GATE)
        stage.hook("p.b", "sees", {}, hook=GATE, mode="observe")

        result = await _fire(stage, text="a")

        assert result.kwargs == {"text": "a"}
        assert stage.args_of("p.b.sees") == [{"hook_name": GATE, "text": "a"}]


async def test_custom_results_are_collected_in_order(autojump_clock: MockClock) -> None:
    """Also of the one that aborts."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "one", {"custom_result": 1}, hook=GATE)
        stage.hook("p.b", "none", {"custom_result": None}, hook=GATE)
        stage.hook("p.c", "why", {**ABORT, "custom_result": "spam"}, hook=GATE)

        result = await _fire(stage)

        assert result.custom_results == (1, "spam")


# --- observers ---------------------------------------------------------------------------------------------------------


async def test_observers_see_the_final_arguments_all_at_once(autojump_clock: MockClock) -> None:
    """Each gets its own copy, nobody waits for them, and what they return changes nothing."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "blocks", changes(text="final"), hook=GATE)
        slow = Late(5.0, {**ABORT, "modified_kwargs": {"text": "observed"}})
        stage.hook("p.b", "sees", slow, hook=GATE, mode="observe")
        stage.hook("p.c", "sees", slow, hook=GATE, mode="observe")

        result = await stage.hooks.invoke(GATE, text="first")

        assert trio.current_time() == 0.0
        assert (result.kwargs, result.aborted) == ({"text": "final"}, False)
        assert [args["text"] for name, args in stage.seen if name.endswith("sees")] == ["final", "final"]
        await stage.settle()
        assert trio.current_time() == pytest.approx(5.0, abs=0.1)


async def test_an_abort_is_seen_by_no_observer_and_no_later_handler(autojump_clock: MockClock) -> None:
    """The flow ends at the handler, whose changes still stand."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "stops", {**ABORT, "modified_kwargs": {"text": "last"}}, hook=GATE)
        stage.hook("p.b", "later", {}, hook=GATE)
        stage.hook("p.c", "sees", {}, hook=GATE, mode="observe")

        result = await _fire(stage, text="first")

        assert stage.asked == ["p.a.stops"]
        assert (result.aborted, result.stopped_by) == (True, "p.a.stops")
        assert result.kwargs == {"text": "last"}


async def test_an_abort_where_none_is_allowed_is_an_error(autojump_clock: MockClock) -> None:
    """The flow goes on."""
    async with open_stage("one") as stage:
        _know(stage, allow_abort=False)
        stage.hook("p.a", "stops", ABORT, hook=GATE)
        stage.hook("p.b", "later", {}, hook=GATE)

        result = await _fire(stage)

        assert stage.asked == ["p.a.stops", "p.b.later"]
        assert not result.aborted
        assert result.errors == (f"p.a.stops may not abort {GATE}",)


async def test_a_failing_observer_changes_nothing_and_is_counted(autojump_clock: MockClock) -> None:
    """Its error policy is about a flow that has gone on."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "sees", FAILED, hook=GATE, mode="observe", error_policy="abort")

        result = await _fire(stage)

        assert (result.aborted, result.errors) == (False, ())
        assert stage.counters.errors == 1


# --- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(FAILED, id="it raised"),
        pytest.param(RemoteError(ErrorCode.E_UNKNOWN, "ValueError: no"), id="its runner refused"),
    ],
)
@pytest.mark.parametrize(
    ("policy", "allowed", "aborts"),
    [
        ("skip", True, False),
        ("log", True, False),
        ("abort", True, True),
    ],
)
async def test_the_error_policy_says_what_a_failure_means(
    autojump_clock: MockClock, answer: Any, policy: str, allowed: bool, aborts: bool
) -> None:
    """Skip and log go on, abort stops; the failure is told by the handler's name in each case."""
    async with open_stage("one") as stage:
        _know(stage, allow_abort=allowed)
        stage.hook("p.a", "fails", answer, hook=GATE, error_policy=policy)
        stage.hook("p.b", "later", {}, hook=GATE)

        result = await _fire(stage)

        assert result.aborted is aborts
        assert stage.asked == ["p.a.fails"] if aborts else ["p.a.fails", "p.b.later"]
        assert result.errors[0].startswith("p.a.fails: ")
        assert "ValueError: no" in result.errors[0]
        assert stage.counters.errors == 1


async def test_what_a_failed_handler_wanted_does_not_happen(autojump_clock: MockClock) -> None:
    """Neither its changes nor its abort."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "fails", {**FAILED, "action": "abort", "modified_kwargs": {"text": "x"}}, hook=GATE)

        result = await _fire(stage, text="old")

        assert (result.kwargs, result.aborted) == ({"text": "old"}, False)


# --- handlers that cannot be asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meaning", "policy", "aborts", "seconds"),
    [
        pytest.param(Unavailable.SKIP, "skip", False, 0.0, id="skip does not wait"),
        pytest.param(Unavailable.ABORT, "skip", True, 0.0, id="abort does not wait"),
        pytest.param(Unavailable.WAIT, "skip", False, 2.0, id="wait until the deadline"),
        pytest.param(Unavailable.WAIT, "abort", True, 2.0, id="the handler says abort"),
    ],
)
async def test_what_a_shard_that_is_down_means(
    autojump_clock: MockClock, meaning: Unavailable, policy: str, aborts: bool, seconds: float
) -> None:
    """As the hook's spec says; the skip is told, and never looks like success."""
    async with open_stage("one", closed=("gone",)) as stage:
        _know(stage, on_unavailable=meaning)
        stage.hook("p.a", "away", {}, hook=GATE, shard="gone", timeout_ms=2000, error_policy=policy)
        stage.hook("p.b", "later", {}, hook=GATE)

        result = await _fire(stage)

        assert trio.current_time() == pytest.approx(seconds, abs=0.1)
        assert (result.aborted, result.stopped_by) == (aborts, "p.a.away" if aborts else None)
        assert result.skipped == ("p.a.away",)
        assert result.errors[0].startswith("p.a.away: ")
        assert stage.asked == ([] if aborts else ["p.b.later"])


async def test_a_hook_that_waits_is_answered_when_the_shard_is_back(autojump_clock: MockClock) -> None:
    """In order: those behind it wait with it."""
    async with open_stage("one", closed=("gone",)) as stage:
        _know(stage, on_unavailable=Unavailable.WAIT)
        stage.hook("p.a", "away", changes(text="back"), hook=GATE, shard="gone")
        stage.hook("p.b", "later", {}, hook=GATE)
        stage._nursery.start_soon(_open_later, stage)  # type: ignore[union-attr]

        result = await _fire(stage, text="old")

        assert (result.kwargs, result.skipped, result.errors) == ({"text": "back"}, (), ())
        assert stage.args_of("p.b.later") == [{"hook_name": GATE, "text": "back"}]


async def _open_later(stage: Stage) -> None:
    await trio.sleep(3)
    stage.open("gone")


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_handler_that_takes_too_long_is_unavailable(autojump_clock: MockClock, allowed: bool) -> None:
    """A time-out is judged like a shard that is down; where no abort is allowed the flow goes on all the same."""
    async with open_stage("one") as stage:
        _know(stage, on_unavailable=Unavailable.ABORT, allow_abort=allowed)
        stage.hook("p.a", "hangs", hook=GATE, timeout_ms=1000)

        result = await _fire(stage)

        assert result.aborted is allowed
        assert result.skipped == ("p.a.hangs",)


async def test_a_deployment_that_does_not_wait_skips(autojump_clock: MockClock) -> None:
    """`wait` means what the deployment says for all calls."""
    async with open_stage(closed=("gone",), waits=False) as stage:
        _know(stage, on_unavailable=Unavailable.WAIT)
        stage.hook("p.a", "away", {}, hook=GATE, shard="gone")

        result = await _fire(stage)

        assert trio.current_time() == 0.0
        assert result.skipped == ("p.a.away",)


@pytest.mark.parametrize(("own", "of_hook", "expected"), [(1500, 3.0, 1.5), (0, 3.0, 3.0), (0, 0.0, 9.0)])
async def test_whose_time_counts(
    autojump_clock: MockClock, own: int, of_hook: float, expected: float
) -> None:
    """The handler's, else the hook's, else the deployment's; for observers as well."""
    async with open_stage("one", timeout=9.0) as stage:
        _know(stage, default_timeout=of_hook)
        stage.hook("p.a", "blocks", {}, hook=GATE, timeout_ms=own)
        stage.hook("p.b", "sees", {}, hook=GATE, mode="observe", timeout_ms=own)

        await _fire(stage)

        assert [sent.deadline - sent.at for sent in stage.links["one"].sent] == [expected, expected]


async def test_a_disabled_handler_is_not_asked(autojump_clock: MockClock) -> None:
    """Neither a blocking one nor an observer."""
    async with open_stage("one") as stage:
        _know(stage)
        stage.hook("p.a", "off", ABORT, hook=GATE, enabled=False)
        stage.hook("p.b", "off", {}, hook=GATE, enabled=False, mode="observe")

        result = await _fire(stage)

        assert (stage.asked, result.aborted) == ([], False)


async def test_a_hook_without_handlers_returns_its_arguments(autojump_clock: MockClock) -> None:
    """Also one that nobody has described: a host application's own."""
    async with open_stage("one") as stage:
        result = await stage.hooks.invoke("nobody.knows", name="a", text="b")

        assert not stage.hooks.has_handlers("nobody.knows")
        assert result.kwargs == {"name": "a", "text": "b"}
        assert not result.aborted


async def test_handlers_that_come_meanwhile_are_asked_the_next_time(autojump_clock: MockClock) -> None:
    """A hook asks those that were there when it was fired."""
    async with open_stage("one") as stage:
        _know(stage)

        def first(_: dict[str, Any]) -> dict[str, Any]:
            if len(stage.seen) == 1:
                stage.hook("p.b", "new", {}, hook=GATE)
            return {}

        stage.hook("p.a", "first", first, hook=GATE)

        await _fire(stage)
        asked_first = list(stage.asked)
        await _fire(stage)

        assert asked_first == ["p.a.first"]
        assert stage.asked[1:] == ["p.a.first", "p.b.new"]
