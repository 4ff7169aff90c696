"""A session over a real socket: every call ends once, whatever the peer does."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    PLUGIN_INVOKE_TOOL,
    RUNNER_HELLO,
    RUNNER_LOG_BATCH,
    BadPayload,
    CannotEncode,
    Closed,
    ConnectionLost,
    ErrorCode,
    Hello,
    HelloAnswer,
    Link,
    LocalProtocolError,
    RemoteError,
    Request,
    RequestTimedOut,
    Session,
    Side,
    limits,
    offer_hello,
)
from tests.doubles.links import answer_frame, hello_frame, make_end, open_host, open_links
from tests.doubles.sessions import HELLO, raw_frame


def _echo(request: Request) -> None:
    request.answer({"success": True, "result": request.payload})


async def _outcome_of(link: Link, **options: Any) -> Any:
    """What a call gave or raised."""
    try:
        return await link.call(PLUGIN_HEALTH, {}, **options)
    except (ConnectionLost, RequestTimedOut, RemoteError, BadPayload) as error:
        return error


# --- calls ------------------------------------------------------------------------------------------------------


async def test_a_call_returns_the_payload_of_its_answer() -> None:
    """And the request carries the plugin, the payload and the budget."""
    async with open_links(runner=_echo) as (host, runner):
        answer = await host.link.call(PLUGIN_INVOKE_TOOL, {"component_name": "t"}, plugin_id="a.b", timeout=7)

        [request] = runner.ear.requests
        assert answer == {"success": True, "result": {"component_name": "t"}}
        assert request.plugin_id == "a.b"
        assert 6900 < request.timeout_ms <= 7000


async def test_an_empty_answer_is_an_answer() -> None:
    """A payload without fields is as good as any."""
    async with open_links(runner=lambda request: request.answer({})) as (host, _):
        assert await host.link.call(PLUGIN_HEALTH) == {}


async def test_a_call_without_a_time_takes_the_methods_own() -> None:
    """The table of methods says how long each may take."""
    async with open_links(runner=_echo) as (host, runner):
        await host.link.call(PLUGIN_HEALTH)

        [request] = runner.ear.requests
        assert 29_000 < request.timeout_ms <= 30_000


async def test_an_error_answer_is_raised() -> None:
    """With its code and text."""
    async with open_links(
        runner=lambda request: request.refuse(ErrorCode.E_PLUGIN_NOT_FOUND, "no such plugin", {"a": 1})
    ) as (host, _):
        with pytest.raises(RemoteError) as caught:
            await host.link.call(PLUGIN_HEALTH)

        assert (caught.value.code, caught.value.message, caught.value.details) == (
            ErrorCode.E_PLUGIN_NOT_FOUND,
            "no such plugin",
            {"a": 1},
        )


async def test_an_unanswered_call_times_out(autojump_clock: MockClock) -> None:
    """At its deadline or one sweep later, and the answer that still comes is counted as late."""
    async with open_links() as (host, runner):
        begun = trio.current_time()
        with pytest.raises(RequestTimedOut, match=r"plugin\.health was not answered in time"):
            await host.link.call(PLUGIN_HEALTH, timeout=1.0)

        assert 1.0 <= trio.current_time() - begun <= 1.0 + 2 * limits.DEADLINE_SWEEP
        assert host.link.pending_count == 0
        runner.ear.requests[0].answer({})
        await wait_all_tasks_blocked()
        assert host.link.session.counters.late_answers == 1
        assert host.closed is None


async def test_each_call_has_its_own_deadline(autojump_clock: MockClock) -> None:
    """A call that waits longer is not ended by one that is over."""
    ended: list[float] = []

    async def ask(link: Link, timeout: float) -> None:
        with pytest.raises(RequestTimedOut):
            await link.call(PLUGIN_HEALTH, timeout=timeout)
        ended.append(timeout)

    async with open_links() as (host, _), trio.open_nursery() as nursery:
        for timeout in (3.0, 1.0, 2.0):
            nursery.start_soon(ask, host.link, timeout)

    assert ended == [1.0, 2.0, 3.0]


async def test_an_idle_link_sets_no_timer(autojump_clock: MockClock) -> None:
    """While nothing waits for an answer, nothing wakes up."""
    async with open_links(runner=_echo):
        await trio.sleep(2 * limits.DEADLINE_SWEEP)  # the sweep that the hello began is over

        statistics = trio.lowlevel.current_statistics()

        assert statistics.seconds_to_next_deadline == float("inf")


async def test_a_cancelled_call_is_given_up() -> None:
    """Its slot is free at once, and its answer is late."""
    async with open_links() as (host, runner):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(host.link.call, PLUGIN_HEALTH)
                await wait_all_tasks_blocked()
                scope.cancel()

        assert host.link.pending_count == 0
        runner.ear.requests[0].answer({})
        await wait_all_tasks_blocked()
        assert host.link.session.counters.late_answers == 1


async def test_a_cancel_after_the_answer_keeps_the_answer() -> None:
    """An answer that was taken from the wire is not lost to a cancel of the same moment."""
    answers = []
    with trio.CancelScope() as scope:
        async with open_host(on_request=lambda request: scope.cancel()) as (host, peer):

            async def ask() -> None:
                answers.append(await host.link.call(PLUGIN_HEALTH))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await wait_all_tasks_blocked()
                request = raw_frame(request_id=2, message_type="request", method=CAP_CALL, plugin_id="a.b")
                peer.send(answer_frame(1, {"healthy": True}) + request)

    assert answers == [{"healthy": True}]


async def test_what_cannot_be_sent_is_refused_and_harms_nothing() -> None:
    """The caller is told, nothing is pending, and the next call works."""
    async with open_links(runner=_echo) as (host, _):
        with pytest.raises(CannotEncode):
            await host.link.call(PLUGIN_INVOKE_TOOL, {"args": {1, 2}})
        with pytest.raises(LocalProtocolError):
            await host.link.call(CAP_CALL, {})
        with pytest.raises(LocalProtocolError):
            await host.link.call("no.such.method", {})

        assert host.link.pending_count == 0
        assert await host.link.call(PLUGIN_HEALTH) == {"success": True, "result": {}}


async def test_a_forgotten_request_never_calls_back() -> None:
    """Forgetting it again says that it is over."""
    async with open_links() as (host, runner):
        heard: list[object] = []
        request_id = host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)
        await wait_all_tasks_blocked()

        assert host.link.forget(request_id) is True
        assert host.link.forget(request_id) is False
        runner.ear.requests[0].answer({})
        await wait_all_tasks_blocked()
        assert heard == []


async def test_a_request_without_a_deadline_has_the_longest_budget() -> None:
    """The wire knows no infinity."""
    async with open_links() as (host, runner):
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=lambda outcome: None)
        await wait_all_tasks_blocked()

        assert runner.ear.requests[0].timeout_ms == 2**31 - 1


async def test_an_answer_with_unusable_keys_ends_one_call_only() -> None:
    """One careless plugin costs its own caller an error, not the connection."""
    async with open_host() as (host, peer), trio.open_nursery() as nursery:
        outcomes = []

        async def ask() -> None:
            outcomes.append(await _outcome_of(host.link))

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        peer.send(answer_frame(1, {"result": {1: "a"}}))
        await wait_all_tasks_blocked()

        assert [type(outcome) for outcome in outcomes] == [BadPayload]
        assert not host.link.is_closed


# --- broadcasts -------------------------------------------------------------------------------------------------


async def test_broadcasts_arrive_in_the_order_they_were_sent() -> None:
    """In order with requests, too."""
    async with open_links() as (host, runner):
        for number in range(5):
            runner.link.broadcast(RUNNER_LOG_BATCH, {"entries": [], "number": number}, plugin_id="a.b")
        await wait_all_tasks_blocked()

        assert host.ear.broadcasts == [
            (RUNNER_LOG_BATCH, "a.b", {"entries": [], "number": number}) for number in range(5)
        ]


async def test_broadcasts_that_nobody_wants_are_ignored() -> None:
    """A link without a listener goes on."""
    ours, theirs = socket.socketpair()
    host = Link(ours, Session(Side.HOST), on_request=lambda request: request.answer({"accepted": True}))
    runner = make_end(theirs, Side.RUNNER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        nursery.start_soon(runner.run)
        await runner.link.call(RUNNER_HELLO, HELLO)

        runner.link.broadcast(RUNNER_LOG_BATCH, {"entries": []})
        await wait_all_tasks_blocked()

        assert not host.is_closed
        host.close()


async def test_a_broadcast_after_the_end_does_nothing() -> None:
    """Log lines of the last moment have nowhere to go; that is nobody's error."""
    async with open_links() as (host, runner):
        host.link.close()
        await runner.wait_closed()

        runner.link.broadcast(RUNNER_LOG_BATCH, {"entries": []})

        assert runner.link.session.bytes_out == 0


async def test_a_broadcast_after_a_refused_hello_does_nothing() -> None:
    """The connection has gone as far as the runner is concerned, although the socket is still open."""
    ours, theirs = socket.socketpair()
    runner = make_end(theirs, Side.RUNNER)
    host = Link(ours, Session(Side.HOST), on_request=lambda request: request.answer({"accepted": False}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        nursery.start_soon(runner.run)
        await runner.link.call(RUNNER_HELLO, HELLO)

        runner.link.broadcast(RUNNER_LOG_BATCH, {"entries": []})

        assert runner.link.session.bytes_out == 0
        host.close()


# --- hello ------------------------------------------------------------------------------------------------------


async def test_a_hello_gets_the_hosts_answer() -> None:
    """Typed on both sides."""
    ours, theirs = socket.socketpair()
    host, runner = make_end(ours, Side.HOST), make_end(theirs, Side.RUNNER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        nursery.start_soon(runner.run)

        answer = await offer_hello(
            runner.link, Hello(runner_id="r", sdk_version="2.0.0", session_token=""), timeout=2
        )

        assert answer == HelloAnswer(accepted=True)
        host.link.close()


# --- ends -------------------------------------------------------------------------------------------------------


async def test_a_peer_that_goes_fails_every_pending_call() -> None:
    """Each exactly once, with ConnectionLost."""
    outcomes: list[object] = []
    async with open_host() as (host, peer), trio.open_nursery() as nursery:

        async def ask() -> None:
            outcomes.append(await _outcome_of(host.link))

        for _ in range(20):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        peer.close()

        assert (await host.wait_closed()).kind == "eof"

    assert [type(outcome) for outcome in outcomes] == [ConnectionLost] * 20


async def test_an_answer_written_before_the_end_still_counts() -> None:
    """What the peer wrote before it went is heard, the rest of its debts is lost."""
    async with open_host() as (host, peer), trio.open_nursery() as nursery:
        outcomes: list[object] = []

        async def ask() -> None:
            outcomes.append(await _outcome_of(host.link))

        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        peer.send(answer_frame(1, {"healthy": True}))
        peer.close()
        await host.wait_closed()
        await wait_all_tasks_blocked()

        assert outcomes[0] == {"healthy": True}
        assert isinstance(outcomes[1], ConnectionLost)


async def test_a_call_on_a_closed_link_was_certainly_not_executed() -> None:
    """So that the caller may send it to another."""
    async with open_links() as (host, _):
        host.link.close()
        await host.wait_closed()

        with pytest.raises(ConnectionLost) as caught:
            await host.link.call(PLUGIN_HEALTH)

        assert caught.value.maybe_executed is False


async def test_closing_gives_the_first_reason() -> None:
    """What comes after is its consequence."""
    async with open_links() as (host, runner):
        host.link.close("it has to go")
        host.link.close("and once more")

        assert await host.wait_closed() == Closed("closed", "it has to go")
        assert (await runner.wait_closed()).kind == "eof"
        assert repr(host.link).startswith("<Link it has to go over <Session of the host, closed")


async def test_a_cancelled_run_settles_everything_and_closes_the_socket() -> None:
    """A cancel from outside leaves no call behind and no descriptor open."""
    ours, peer = socket.socketpair()
    heard: list[object] = []
    host = make_end(ours, Side.HOST)
    with peer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(host.link.run)
            peer.send(hello_frame())
            await wait_all_tasks_blocked()
            host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)
            nursery.cancel_scope.cancel()

    assert [type(outcome) for outcome in heard] == [ConnectionLost]
    assert host.link.is_closed
    assert ours.fileno() == -1


async def test_a_link_that_was_closed_before_it_ran_ends_at_once() -> None:
    """With the reason that was given."""
    ours, peer = socket.socketpair()
    with peer:
        host = make_end(ours, Side.HOST)
        host.link.close("never mind")

        assert await host.link.run() == Closed("closed", "never mind")
