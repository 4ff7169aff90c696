"""Who is told what of a runner that ends, and when: the calls outlive the connection."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_CONFIG_UPDATED,
    PLUGIN_INVOKE_TOOL,
    PLUGIN_RUN_SEGMENT,
    PLUGIN_SHUTDOWN,
    RUNNER_HELLO,
    ConnectionLost,
    RequestSettled,
    RequestTimedOut,
    Session,
    Side,
)
from rookery.supervisor.ledger import Ledger
from tests.doubles.sessions import HELLO, asked, pass_on


class Asker:
    """A ledger after its hello, with a runner at the other end.

    Attributes:
        told: What each request came to, in the order in which they were told: number and outcome.
    """

    def __init__(self) -> None:
        self.ledger, self.runner = Ledger(Side.HOST), Session(Side.RUNNER)
        hello = self.runner.request(RUNNER_HELLO, HELLO)
        pass_on(self.runner, self.ledger)
        self.ledger.answer(hello, {"accepted": True})
        pass_on(self.ledger, self.runner)
        self.told: list[tuple[int, Any]] = []

    def ask(self, method: str = PLUGIN_INVOKE_TOOL, plugin_id: str = "test.one", **keywords: Any) -> int:
        numbers: list[int] = []
        numbers.append(
            self.ledger.request(
                method,
                {},
                plugin_id=plugin_id,
                on_done=lambda outcome: self.told.append((numbers[0], outcome)),
                **keywords,
            )
        )
        return numbers[0]

    def close(self) -> None:
        """As the link does it."""
        for settled in self.ledger.close("it went away"):
            settled.pending.on_done(settled.outcome)

    def answer_all(self) -> None:
        for item in asked(pass_on(self.ledger, self.runner)):
            self.runner.answer(item.request_id, {"success": True})
        for settled in pass_on(self.runner, self.ledger):
            if isinstance(settled, RequestSettled):
                settled.pending.on_done(settled.outcome)


def test_the_end_of_a_connection_settles_only_the_requests_of_the_hosts_own() -> None:
    """A call may still run in the process, which is not dead by that."""
    asker = Asker()
    call, own = asker.ask(), asker.ask(PLUGIN_CONFIG_UPDATED)

    asker.close()

    assert [number for number, _ in asker.told] == [own]
    assert list(asker.ledger.pending) == [call]


def test_what_had_not_begun_was_not_executed() -> None:
    """Each is told which of the two holds for it; newest first, so that putting back keeps the order."""
    asker = Asker()
    numbers = [asker.ask() for _ in range(4)]
    asker.close()

    asker.ledger.settle(frozenset({numbers[0], numbers[1]}), "the runner died")

    assert [(number, error.maybe_executed) for number, error in asker.told] == [
        (numbers[3], False),
        (numbers[2], False),
        (numbers[1], True),
        (numbers[0], True),
    ]
    assert (asker.ledger.lost, asker.ledger.unbegun) == (2, 2)
    assert asker.ledger.called == {"test.one"}


def test_without_an_account_everything_may_have_run() -> None:
    """A runner of another make does not say what it has begun."""
    asker = Asker()
    asker.ask()
    asker.close()

    asker.ledger.settle(None, "the runner died")

    assert [error.maybe_executed for _, error in asker.told] == [True]
    assert asker.ledger.lost == 1


def test_only_the_culprit_of_a_hang_has_hung() -> None:
    """Other calls that had begun are bystanders; so is another call of the same plugin when the very one is known."""
    asker = Asker()
    first, second, other = asker.ask(), asker.ask(), asker.ask(plugin_id="test.two")
    asker.close()

    asker.ledger.settle(
        frozenset({first, second, other}), "it hung", hung_plugin="test.one", hung_request=second
    )

    assert {number: error.hung for number, error in asker.told} == {first: False, second: True, other: False}


def test_without_the_request_the_plugin_has_hung() -> None:
    """A dump of the stacks names the plugin and not the call."""
    asker = Asker()
    first, other = asker.ask(), asker.ask(plugin_id="test.two")
    asker.close()

    asker.ledger.settle(frozenset({first, other}), "it hung", hung_plugin="test.one")

    assert {number: error.hung for number, error in asker.told} == {first: True, other: False}


def test_the_shutdown_requests_are_nobodys_loss() -> None:
    """They get no answer as a rule."""
    asker = Asker()
    asker.ask(PLUGIN_SHUTDOWN, plugin_id="")

    asker.close()

    assert (len(asker.told), asker.ledger.lost) == (1, 0)


def test_a_lost_request_of_the_hosts_own_counts() -> None:
    """A plugin was told of its configuration, and nobody knows how far it came."""
    asker = Asker()
    asker.ask(PLUGIN_CONFIG_UPDATED)

    asker.close()

    assert (asker.ledger.lost, asker.ledger.called) == (1, {"test.one"})


def test_what_the_runner_announces_is_noted_as_long_as_it_is_pending() -> None:
    """Ids that were never asked, or are answered, take no memory."""
    asker = Asker()
    first = asker.ask()
    asker.ledger.note_started([first, 10_000, -1])
    assert asker.ledger.noted == {first}

    asker.answer_all()
    second = asker.ask()
    asker.ledger.note_started([second])

    assert asker.ledger.noted == {second}


def test_calls_that_wait_are_those_that_have_not_begun() -> None:
    """Requests of the host's own are none of them."""
    asker = Asker()
    first, second = asker.ask(), asker.ask()
    asker.ask(PLUGIN_CONFIG_UPDATED)

    assert asker.ledger.waiting_calls(frozenset({first})) == [second]
    assert [call.request_id for call in asker.ledger.started_calls(frozenset({first}))] == [first]
    assert asker.ledger.started_calls(None)[1].component == "invoke_tool"


async def test_deadlines_hold_without_a_connection(autojump_clock: MockClock) -> None:
    """A process that keeps its calls and its life does not keep its callers."""
    asker = Asker()
    first, second = asker.ask(deadline=1.0), asker.ask(deadline=2.0)
    asker.close()

    await asker.ledger.keep_deadlines()

    assert [number for number, _ in asker.told] == [first, second]
    assert isinstance(asker.told[0][1], RequestTimedOut)
    assert 2.0 <= trio.current_time() < 2.1


async def test_whoever_waits_for_the_last_answer_is_woken(autojump_clock: MockClock) -> None:
    """By an answer, a deadline, a call that is given up: there is nothing to look at again and again."""
    for end in ("answer", "expire", "forget", "settle"):
        asker = Asker()
        number = asker.ask(deadline=1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asker.ledger.wait_idle)
            await trio.testing.wait_all_tasks_blocked()
            if end == "answer":
                asker.answer_all()
            elif end == "expire":
                asker.ledger.expire(2.0)
            elif end == "forget":
                asker.ledger.forget(number)
            else:
                asker.ledger.settle(frozenset(), "")

    assert trio.current_time() < 1.0


@given(
    steps=st.lists(
        st.sampled_from(["ask", "own", "answer", "expire", "forget", "start", "close", "settle"]), max_size=30
    ),
    choice=st.randoms(use_true_random=False),
)
def test_each_request_is_told_exactly_once(steps: list[str], choice: Any) -> None:
    """Whatever happens in whatever order; and one that had begun is never called unexecuted."""
    asker = Asker()
    sent: set[int] = set()
    begun: set[int] = set()
    forgotten: set[int] = set()
    is_closed = False
    for step in [*steps, "close", "settle"]:
        pending = list(asker.ledger.pending)
        if step in ("ask", "own") and not is_closed:
            deadline = choice.choice([1.0, 3.0])
            method = PLUGIN_INVOKE_TOOL if step == "ask" else PLUGIN_CONFIG_UPDATED
            sent.add(asker.ask(method, deadline=deadline))
        elif step == "answer" and not is_closed:
            asker.answer_all()
        elif step == "expire":
            for settled in asker.ledger.expire(2.0):
                settled.pending.on_done(settled.outcome)
        elif step == "forget" and pending:
            number = choice.choice(pending)
            asker.ledger.forget(number)
            forgotten.add(number)
        elif step == "start" and pending:
            number = choice.choice(pending)
            asker.ledger.note_started([number])
            begun.add(number)
        elif step == "close":
            asker.close()
            is_closed = True
        elif step == "settle" and is_closed:
            asker.ledger.settle(asker.ledger.noted, "dead")

    told = [number for number, _ in asker.told]
    assert sorted(told) == sorted(sent - forgotten)
    assert not asker.ledger.pending
    for number, outcome in asker.told:
        if isinstance(outcome, ConnectionLost) and not outcome.maybe_executed:
            assert number not in begun


def test_only_answers_count_as_answers() -> None:
    """Not what was given up, what was too late, what was only told, nor what the end of the connection settled."""
    asker = Asker()
    asker.ask()
    asker.answer_all()
    asker.ledger.forget(asker.ask())
    asker.ask(deadline=1.0)
    for settled in asker.ledger.expire(now=2.0):
        settled.pending.on_done(settled.outcome)
    asker.ledger.broadcast(PLUGIN_CANCEL, {"request_ids": [2, 3]})
    asker.ask(PLUGIN_SHUTDOWN)
    asker.ask()

    asker.close()

    assert asker.ledger.answered == 1


def test_a_runner_has_served_when_it_answered_or_was_never_asked() -> None:
    """Each call that is too late is cancelled by a broadcast, which uses up an id and is no service."""
    asker = Asker()
    served = [asker.ledger.has_served]

    asker.ledger.broadcast(PLUGIN_CANCEL, {"request_ids": [9]})
    served.append(asker.ledger.has_served)
    asker.ledger.forget(asker.ask())
    asker.ledger.broadcast(PLUGIN_CANCEL, {"request_ids": [2]})
    served.append(asker.ledger.has_served)
    asker.ask()
    asker.answer_all()
    served.append(asker.ledger.has_served)

    assert served == [True, True, False, True]


def test_parts_that_began_are_known_after_the_connection_has_ended() -> None:
    """The runner's word about them came over the wire, because its page was full; they must not be made again."""
    asker = Asker()
    segment = asker.ask(PLUGIN_RUN_SEGMENT, parts=3)
    pending = asker.ledger.pending[segment]
    asker.ledger.note_started([segment + 1, segment + 3, segment + 4])

    asker.close()
    noted = asker.ledger.noted
    asker.ledger.settle(noted, "it died")

    assert noted == {segment + 1, segment + 3}
    assert pending.begun == noted
    assert [(number, outcome.maybe_executed) for number, outcome in asker.told] == [(segment, True)]
    assert asker.ledger.noted == frozenset()
    assert asker.ledger.lost == 2
