"""Which calls have begun, which are answered although they go on, and when there are too many of those."""

from __future__ import annotations

import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, RemoteError
from rookery.runner.calls import GIVE_UP_LOOKS, THREAD_LOOKS, Calls, Run, Unwanted
from rookery.runner.fake_host import FakeRequest
from rookery.runner.page import open_own_page
from tests.runner.makers import a_request


class Told:
    """Calls of a host that listens, over a page without slots."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.calls = Calls(open_own_page(None), self.started.append)
        self.requests: list[FakeRequest] = []

    def enter(self, *, begins: bool = True, has_thread: bool = False) -> Run:
        request = a_request(PLUGIN_INVOKE_TOOL, "tool")
        self.requests.append(request)
        run = self.calls.enter(request, trio.CancelScope())
        run.has_thread = has_thread
        if begins:
            self.calls.begin(run)
        return run

    def owed(self) -> set[int]:
        return {request.request_id for request in self.requests if request.error is None}


def kind_of(request: FakeRequest) -> object:
    assert isinstance(request.error, RemoteError)
    return request.error.details.get("kind")


async def test_a_call_begins_once_it_is_said() -> None:
    """Coming to the border is not beginning."""
    told = Told()
    run = told.enter(begins=False)
    before = list(told.started)
    told.calls.begin(run)

    assert before == []
    assert told.started == [run.request.request_id]


async def test_a_recall_takes_what_has_not_begun_and_a_cancel_takes_all() -> None:
    """The handler that runs goes on in the one case only."""
    told = Told()
    begun, waiting = told.enter(), told.enter(begins=False)
    both = [begun.request.request_id, waiting.request.request_id]
    told.calls.drop(both, Unwanted.RECALLED)
    after_recall = (begun.scope.cancel_called, waiting.scope.cancel_called)
    told.calls.cancel(both)

    assert after_recall == (False, True)
    assert begun.scope.cancel_called
    assert (begun.unwanted, waiting.unwanted) == (Unwanted.CANCELLED, Unwanted.RECALLED)


async def test_what_is_dropped_before_it_comes_is_refused_at_the_border() -> None:
    """Once; and a call that never comes is forgotten when it is not owed any more."""
    told = Told()
    coming, gone = a_request(PLUGIN_INVOKE_TOOL, "tool"), a_request(PLUGIN_INVOKE_TOOL, "tool")
    told.calls.drop([coming.request_id, gone.request_id], Unwanted.RECALLED)

    assert told.calls.refuses(coming)
    assert kind_of(coming) == "Recalled"
    assert not told.calls.refuses(coming)
    told.calls.give_up({coming.request_id})
    assert not told.calls.refuses(gone)


async def test_a_handler_has_until_the_second_look() -> None:
    """Then its request is answered and it counts as stuck until it ends."""
    told = Told()
    run = told.enter()
    run.scope.cancel()
    looks = [bool(told.calls.give_up(told.owed())) for _ in range(GIVE_UP_LOOKS + 1)]
    stuck = told.calls.count_stuck()
    told.calls.end(run)

    assert looks == [False, True, False]
    assert isinstance(told.requests[0].error, RemoteError)
    assert stuck == (1, 0)
    assert told.calls.count_stuck() == (0, 0)


async def test_a_thread_that_nobody_waits_for_is_slow_before_it_is_stuck() -> None:
    """Nothing interrupts a thread, so being late means less."""
    told = Told()
    run = told.enter(has_thread=True)
    told.calls.end(run)
    for _ in range(THREAD_LOOKS - 1):
        told.calls.give_up(set())
    before = told.calls.count_stuck()
    told.calls.give_up(set())
    then = told.calls.count_stuck()
    told.calls.end_thread(run)

    assert (before, then) == ((0, 0), (0, 1))
    assert told.calls.count_stuck() == (0, 0)


async def test_a_call_that_ended_in_time_leaves_nothing() -> None:
    """With a thread and without."""
    told = Told()
    plain, usual = told.enter(has_thread=True), told.enter()
    told.calls.end_thread(plain)
    for run in (plain, usual):
        told.calls.end(run)
    told.calls.give_up_all()

    assert told.calls.count_stuck() == (0, 0)
    assert [request.error for request in told.requests] == [None, None]
