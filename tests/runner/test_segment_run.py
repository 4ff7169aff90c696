"""A handler of a segment as a request of its own: when it is answered, by whom, and what it keeps."""

from __future__ import annotations

import gc
from typing import Any

import attrs
import pytest
import trio

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_RUN_SEGMENT,
    Envelope,
    ErrorCode,
    FrameReader,
    FrameTooLarge,
    Request,
    RequestSettled,
    Session,
    decode_envelope,
    encode_value,
)
from rookery.runner.segment_run import Run, note_taken, read_segment
from tests.doubles.sessions import asked, open_sessions


@attrs.define
class End:
    """As much of a link as a request needs."""

    session: Session
    is_closed: bool = False

    def wake_writer(self) -> None:
        pass


@attrs.define
class Both:
    """A segment of three handlers at its runner, and the host that has asked."""

    host: Session
    runner: Session
    run: Run

    def answers(self) -> list[Envelope]:
        """What waits to be sent; it is taken away."""
        return [decode_envelope(body) for body in FrameReader(1 << 20).receive(self.runner.data_to_send())]

    def arrived(self) -> list[tuple[int, Any]]:
        """What the host has read since the last time: the id and the outcome of each answer."""
        found = []
        for received in self.host.receive(self.runner.data_to_send()):
            assert isinstance(received, RequestSettled)
            found.append((received.pending.answered_by, received.outcome))
        return found


def ask(*, in_turn: bool, max_frame_bytes: int = 1 << 20) -> Both:
    host, runner = open_sessions(max_frame_bytes=max_frame_bytes)
    payload = {
        "method": PLUGIN_EMIT_EVENT,
        "args": encode_value({"box": [1]}),
        "plugins": ["p.a", "p.b", "p.c"],
        "components": ["a", "b", "c"],
        "timeouts_ms": [1000, 1000, 1000],
        "in_turn": in_turn,
        "ordering_key": "chat",
    }
    host.request(PLUGIN_RUN_SEGMENT, payload, parts=3)
    [received] = asked(runner.receive(host.data_to_send()))
    request = Request(End(runner), received, 0.0)  # type: ignore[arg-type]
    note_taken(request)
    told = read_segment(request.payload)
    return Both(host, runner, Run(request, told, {"box": [1]}))


async def test_a_part_says_what_it_would_have_been_asked() -> None:
    """Its plugin, its component, arguments of its own, its time and the conversation."""
    both = ask(in_turn=False)

    part = both.run.part(1)

    assert (part.request_id, part.plugin_id) == (both.run.request.request_id + 2, "p.b")
    assert part.payload == {"component_name": "b", "args": {"box": [1]}, "ordering_key": "chat"}
    assert part.payload["args"]["box"] is not both.run.args["box"]
    assert (part.timeout_ms, both.run.speaking) == (1000, [1])
    assert both.runner.taken == both.run.request.request_id + 3


async def test_the_first_that_answers_in_turn_answers_for_the_segment() -> None:
    """The segment itself is not owed any more."""
    both = ask(in_turn=True)

    both.run.part(1).answer({"success": True})

    assert both.arrived() == [(both.run.request.request_id + 2, {"success": True})]
    assert not both.runner.owed


async def test_what_is_said_early_waits_for_the_answer_of_the_segment() -> None:
    """And stays as it was when it was said, whatever its plugin does to it meanwhile."""
    both = ask(in_turn=False)
    answer = {"success": True, "custom_result": ["said"]}

    both.run.part(0).answer(answer)
    answer["custom_result"] = object()
    both.run.part(2).refuse(ErrorCode.E_TIMEOUT, "late", {"kind": "NotStarted"})
    assert both.arrived() == []
    both.run.request.answer({"speaking": both.run.speaking})
    both.run.is_answered = True
    for say in both.run.answers:
        say()

    first = both.run.request.request_id
    answers = both.answers()
    assert [each.request_id for each in answers] == [first, first + 1, first + 3]
    assert answers[1].payload == {"success": True, "custom_result": ["said"]}
    assert answers[2].error is not None
    assert answers[2].error["details"] == {"kind": "NotStarted"}
    assert not both.runner.owed


async def test_an_early_answer_that_no_frame_holds_is_refused_at_once() -> None:
    """It would be found out when nobody can refuse it any more."""
    both = ask(in_turn=False, max_frame_bytes=64 * 1024)
    part = both.run.part(0)

    with pytest.raises(FrameTooLarge):
        part.answer({"custom_result": "x" * 63 * 1024})
    part.refuse(ErrorCode.E_UNKNOWN, "too large")

    assert part.answered
    assert len(both.run.answers) == 1


async def test_whoever_keeps_a_message_keeps_no_segment() -> None:
    """Plugins remember messages; what makes a copy of their maps holds the packed arguments and nothing else."""
    both = ask(in_turn=False)

    held: list[Any] = [both.run.own_args]
    for _ in range(3):
        held += [each for each in gc.get_referents(*held) if type(each) in (tuple, dict, Run)]

    assert not any(isinstance(each, Run) for each in held)
    assert both.run.own_args() == {"box": [1]}


async def test_a_part_begins_to_wait_when_it_becomes_a_request(autojump_clock: Any) -> None:
    """Its time counts from then on."""
    both = ask(in_turn=False)
    await trio.sleep(5)

    assert both.run.part(0).received_at == trio.current_time()
