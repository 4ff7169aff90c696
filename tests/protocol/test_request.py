"""A request that is owed an answer gets exactly one."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from rookery.protocol import (
    PLUGIN_HEALTH,
    PLUGIN_INVOKE_TOOL,
    BadPayload,
    CannotEncode,
    ErrorCode,
    LocalProtocolError,
    RemoteError,
    Request,
)
from tests.doubles.links import End, open_host, open_links
from tests.doubles.sessions import raw_frame


async def _ask(host: End, runner: End, heard: list[object]) -> Request:
    """The runner's side of a fresh request, whose outcome goes into `heard`."""
    host.link.send(PLUGIN_INVOKE_TOOL, {"a": 1}, plugin_id="a.b", deadline=float("inf"), on_done=heard.append)
    await wait_all_tasks_blocked()
    return runner.ear.requests[-1]


async def test_a_request_knows_what_was_asked_and_when() -> None:
    """Everything that its handler needs."""
    async with open_links() as (host, runner):
        before = trio.current_time()

        request = await _ask(host, runner, [])

        assert (request.method.name, request.plugin_id, request.payload) == (
            PLUGIN_INVOKE_TOOL,
            "a.b",
            {"a": 1},
        )
        assert before <= request.received_at <= trio.current_time()
        assert request.answered is False
        assert repr(request) == "<Request 1 plugin.invoke_tool a.b (owed)>"


async def test_an_answer_settles_the_debt() -> None:
    """The caller has it, and the request says so."""
    async with open_links() as (host, runner):
        heard: list[object] = []
        request = await _ask(host, runner, heard)

        request.answer({"success": True})
        await wait_all_tasks_blocked()

        assert heard == [{"success": True}]
        assert request.answered is True
        assert repr(request) == "<Request 1 plugin.invoke_tool a.b (answered)>"


async def test_answering_twice_is_a_mistake_of_this_side() -> None:
    """Whatever comes second is refused and the caller hears the first only."""
    async with open_links() as (host, runner):
        heard: list[object] = []
        request = await _ask(host, runner, heard)
        request.answer({"success": True})

        with pytest.raises(LocalProtocolError, match=r"request 1 \(plugin.invoke_tool\) was answered before"):
            request.answer({"success": False})
        with pytest.raises(LocalProtocolError):
            request.refuse(ErrorCode.E_UNKNOWN, "no")
        await wait_all_tasks_blocked()

        assert heard == [{"success": True}]


async def test_an_old_request_cannot_answer_a_new_one_of_the_same_id() -> None:
    """A peer may count as it likes: an id that was answered can come again."""
    async with open_host() as (host, peer):
        ask = raw_frame(request_id=7, message_type="request", method="cap.call", plugin_id="a.b", payload={})
        peer.send(ask)
        await wait_all_tasks_blocked()
        host.ear.requests[0].answer({"number": 1})
        peer.send(ask)
        await wait_all_tasks_blocked()
        old, new = host.ear.requests

        with pytest.raises(LocalProtocolError):
            old.answer({"number": 1})

        assert new.answered is False
        new.answer({"number": 2})
        assert new.answered is True


async def test_what_cannot_be_sent_leaves_the_debt() -> None:
    """So that the handler can refuse instead."""
    async with open_links() as (host, runner):
        heard: list[object] = []
        request = await _ask(host, runner, heard)

        with pytest.raises(CannotEncode):
            request.answer({"result": object()})

        assert request.answered is False
        request.refuse(ErrorCode.E_PLUGIN_CRASHED, "the result cannot be sent")
        await wait_all_tasks_blocked()
        assert [str(outcome) for outcome in heard] == ["[E_PLUGIN_CRASHED] the result cannot be sent"]


async def test_a_bad_payload_is_refused_with_its_path() -> None:
    """The caller can see which field it was."""
    async with open_links() as (host, runner):
        heard: list[object] = []
        request = await _ask(host, runner, heard)

        request.refuse_bad_payload(BadPayload("must be a text, got int 1", "component_name"))
        await wait_all_tasks_blocked()

        [error] = heard
        assert isinstance(error, RemoteError)
        assert (error.code, error.message, error.details) == (
            ErrorCode.E_BAD_PAYLOAD,
            "component_name: must be a text, got int 1",
            {"path": "component_name"},
        )


async def test_an_answer_after_the_end_is_dropped_in_silence() -> None:
    """A handler that finishes late is not at fault."""
    async with open_links() as (host, runner):
        request = await _ask(host, runner, [])
        refused = await _ask(host, runner, [])
        host.link.close()
        await runner.wait_closed()

        request.answer({"success": True})
        refused.refuse(ErrorCode.E_UNKNOWN, "too late")

        assert (request.answered, refused.answered) == (True, True)
        assert runner.link.session.bytes_out == 0


async def test_requests_can_be_answered_in_any_order_from_any_task() -> None:
    """Each caller gets its own answer."""
    async with open_links() as (host, runner):
        answers: dict[int, object] = {}

        async def ask(number: int) -> None:
            answers[number] = await host.link.call(PLUGIN_HEALTH, {"number": number})

        async def answer(request: Request) -> None:
            request.answer(request.payload)

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(ask, number)
            await wait_all_tasks_blocked()
            for request in reversed(runner.ear.requests):
                nursery.start_soon(answer, request)

        assert answers == {number: {"number": number} for number in range(10)}
