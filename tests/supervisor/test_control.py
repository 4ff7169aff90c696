"""The control socket answers every line, whatever is in it, and outlives its clients."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from rookery.protocol import RookeryError
from rookery.supervisor import control
from rookery.supervisor.control import (
    MAX_CLIENTS,
    MAX_REQUEST_BYTES,
    Command,
    Lines,
    Request,
    RequestRefused,
    serve_control,
)
from rookery.supervisor.control_client import AskFailed, HostGone, NotRunning, ask, follow


async def status(request: Request) -> Any:
    return {"name": "bot", "asked": dict(request)}


async def fail(_: Request) -> Any:
    raise RookeryError("two\nlines")


async def count_up(request: Request) -> Any:
    return _numbers(request)


async def _numbers(request: Request) -> AsyncIterator[Any]:
    try:
        for number in range(request.get("size", 3)):
            yield {"number": number, "text": "x" * request.get("width", 0)}
            await trio.lowlevel.checkpoint()
        if request.get("endless"):
            await trio.sleep_forever()
        if request.get("fails"):
            raise RookeryError("half way")
    finally:
        ENDED.append("stream")


async def wait(_: Request) -> Any:
    try:
        await trio.sleep_forever()
    finally:
        ENDED.append("wait")


async def odd(_: Request) -> Any:
    return {"bytes": b"\xff", b"key": 1, "set": {1}}


COMMANDS = {"status": status, "fail": fail}


async def broken(request: Request) -> Any:
    return request["what is not there"]


STREAMS = {**COMMANDS, "broken": broken, "count": count_up, "wait": wait, "odd": odd}
ENDED: list[str] = []
"""What was ended of the commands that last."""


@pytest.fixture(autouse=True)
def _nothing_ended() -> None:
    ENDED.clear()


async def wait_ended(count: int = 1) -> None:
    with trio.fail_after(5):
        while len(ENDED) < count:
            await trio.testing.wait_all_tasks_blocked(0.005)


@asynccontextmanager
async def served(state_dir: Path, commands: Mapping[str, Command] = COMMANDS) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, state_dir, commands)
        yield
        nursery.cancel_scope.cancel()


async def exchange(stream: trio.SocketStream, data: bytes) -> dict[str, Any]:
    await stream.send_all(data)
    return await receive(stream)


async def receive(stream: trio.SocketStream) -> dict[str, Any]:
    got = b""
    with trio.fail_after(5):
        while not got.endswith(b"\n"):
            data = await stream.receive_some()
            assert data, "the connection was closed"
            got += data
    answer: dict[str, Any] = json.loads(got)
    return answer


async def connect(state_dir: Path) -> trio.SocketStream:
    return await trio.open_unix_socket(str(state_dir / "control.sock"))


async def test_a_command_is_answered_over_and_over(state_dir: Path) -> None:
    """One connection carries many requests."""
    async with served(state_dir), await connect(state_dir) as stream:
        first = await exchange(stream, b'{"command": "status"}\n')
        second = await exchange(stream, b'{"command": "status", "x": 1}\n')

    assert first == {"result": {"name": "bot", "asked": {"command": "status"}}}
    assert second["result"]["asked"]["x"] == 1


async def test_only_the_owner_may_ask(state_dir: Path) -> None:
    """The socket is closed to everybody else, and gone when the host is."""
    async with served(state_dir):
        mode = (state_dir / "control.sock").stat().st_mode

    assert stat.S_IMODE(mode) == 0o600
    assert not (state_dir / "control.sock").exists()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param(b"hello", "one JSON object a line", id="no JSON"),
        pytest.param(b"\xff\xfe", "one JSON object a line", id="no UTF-8"),
        pytest.param(b"[" * 60_000, "one JSON object a line", id="nested beyond reason"),
        pytest.param(b"[1]", 'an object with a "command"', id="no object"),
        pytest.param(b'{"command": 1}', 'an object with a "command"', id="a command that is no text"),
        pytest.param(b'{"command": "dance"}', "unknown command 'dance'; known are fail, status", id="an unknown command"),
        pytest.param(b'{"command": "fail"}', "two lines", id="a command that fails"),
        pytest.param(b'"' + b"x" * MAX_REQUEST_BYTES, "at most 65536 bytes", id="too long"),
    ],
)  # fmt: skip
async def test_a_bad_request_is_answered_and_the_next_one_served(
    line: bytes, error: str, state_dir: Path
) -> None:
    """A mistake costs its own answer and nothing else."""
    async with served(state_dir), await connect(state_dir) as stream:
        bad = await exchange(stream, line + b"\n")
        good = await exchange(stream, b'{"command": "status"}\n')

    assert error in bad["error"]
    assert "\n" not in bad["error"]
    assert good["result"]["name"] == "bot"


async def test_a_client_that_leaves_half_way_disturbs_nobody(state_dir: Path) -> None:
    """Half a request, no reading of the answer: the others go on."""
    async with served(state_dir), await connect(state_dir) as other:
        for data in (b'{"comm', b'{"command": "status"}\n' * 500):
            async with await connect(state_dir) as stream:
                await stream.send_all(data)

        answer = await exchange(other, b'{"command": "status"}\n')

    assert answer["result"]["name"] == "bot"


async def test_one_client_too_many_is_told_so(state_dir: Path) -> None:
    """The bound holds, and a place is free again when somebody leaves."""
    async with served(state_dir):
        streams = [await connect(state_dir) for _ in range(MAX_CLIENTS)]
        for stream in streams:
            await exchange(stream, b'{"command": "status"}\n')
        async with await connect(state_dir) as late:
            refusal = await receive(late)
        for stream in streams:
            await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        async with await connect(state_dir) as stream:
            answer = await exchange(stream, b'{"command": "status"}\n')

    assert "clients are connected already" in refusal["error"]
    assert answer["result"]["name"] == "bot"


async def test_a_silent_client_is_shown_out(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds a place for good by saying nothing."""
    monkeypatch.setattr(control, "IDLE_TIMEOUT", 0.01)
    async with served(state_dir), await connect(state_dir) as stream:
        with trio.fail_after(5):
            data = await stream.receive_some()

    assert data == b""


async def test_the_socket_of_a_dead_host_is_replaced(state_dir: Path) -> None:
    """A crash leaves the file behind; the next host takes its place."""
    (state_dir / "control.sock").touch()

    async with served(state_dir), await connect(state_dir) as stream:
        answer = await exchange(stream, b'{"command": "status"}\n')

    assert answer["result"]["name"] == "bot"


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_lines_are_the_same_however_they_are_cut(size: int) -> None:
    """A line that is too long is one refusal, wherever the cuts are."""
    data = b"one\n\ntwo\n" + b"x" * (MAX_REQUEST_BYTES + 9000) + b"\nthree\nrest"
    lines = Lines()

    found = [line for start in range(0, len(data), size) for line in lines.feed(data[start : start + size])]

    kinds = [line if isinstance(line, bytes) else "refused" for line in found]
    assert kinds == [b"one", b"two", "refused", b"three"]
    assert isinstance(found[2], RequestRefused)


async def test_the_blocking_client_gets_the_result(state_dir: Path) -> None:
    """What the command line uses, against the real server."""
    async with served(state_dir):
        result = await trio.to_thread.run_sync(partial(ask, state_dir, "status", depth=2))

    assert result == {"name": "bot", "asked": {"command": "status", "depth": 2}}


async def test_the_blocking_client_raises_the_hosts_error(state_dir: Path) -> None:
    """An error of the host's is told in its words."""
    async with served(state_dir):
        with pytest.raises(AskFailed, match="two lines"):
            await trio.to_thread.run_sync(ask, state_dir, "fail")


async def test_the_blocking_client_works_in_a_deep_directory(tmp_path: Path) -> None:
    """Server and client both get around the short paths of sockets."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()

    async with served(deep):
        result = await trio.to_thread.run_sync(ask, deep, "status")

    assert result["name"] == "bot"


def test_nobody_there_is_not_an_error_of_the_host(state_dir: Path) -> None:
    """No socket, and one that nobody listens at."""
    with pytest.raises(NotRunning, match="No such file"):
        ask(state_dir, "status")
    with pytest.raises(NotRunning, match="No such file"):
        ask(state_dir / "nowhere", "status")


async def test_a_host_that_does_not_answer_is_not_waited_for(state_dir: Path) -> None:
    """A frozen host costs the timeout."""
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    with sock:
        await sock.bind(str(state_dir / "control.sock"))
        sock.listen(1)

        with pytest.raises(AskFailed, match=r"did not answer within 0\.05 s"):
            await trio.to_thread.run_sync(partial(ask, state_dir, "status", timeout=0.05))


def _followed(state_dir: Path, **arguments: Any) -> list[Any]:
    return list(follow(state_dir, "count", **arguments))


async def test_an_answer_may_have_many_parts(state_dir: Path) -> None:
    """A line for each, and one that says that it was the last; the connection serves the next request."""
    async with served(state_dir, STREAMS), await connect(state_dir) as stream:
        parts = await trio.to_thread.run_sync(partial(_followed, state_dir))
        await stream.send_all(b'{"command": "count"}\n')
        text = b""
        with trio.fail_after(5):
            while not text.endswith(b'{"end": true}\n'):
                text += await stream.receive_some()
        after = await exchange(stream, b'{"command": "status"}\n')

    assert [part["number"] for part in parts] == [0, 1, 2]
    assert text.count(b'"item"') == 3
    assert after["result"]["name"] == "bot"


async def test_a_long_answer_may_end_with_an_error(state_dir: Path) -> None:
    """What went wrong half way is told in its place."""
    async with served(state_dir, STREAMS):
        with pytest.raises(AskFailed, match="half way"):
            await trio.to_thread.run_sync(partial(_followed, state_dir, fails=True))


@pytest.mark.parametrize("line", [b'{"command": "count", "endless": true}', b'{"command": "wait"}'])
async def test_hanging_up_ends_what_was_asked_for(line: bytes, state_dir: Path) -> None:
    """A log that is followed and a restart that is waited for end with their client; others are served on."""
    async with served(state_dir, STREAMS):
        async with await connect(state_dir) as stream:
            await stream.send_all(line + b"\n")
            await trio.testing.wait_all_tasks_blocked(0.01)

        await wait_ended()
        async with await connect(state_dir) as other:
            answer = await exchange(other, b'{"command": "status"}\n')

    assert answer["result"]["name"] == "bot"


async def test_a_client_that_does_not_read_is_dropped(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream ends; the endpoint and the other clients do not."""
    monkeypatch.setattr(control, "IDLE_TIMEOUT", 0.05)
    async with served(state_dir, STREAMS), await connect(state_dir) as stream:
        await stream.send_all(b'{"command": "count", "size": 1000, "width": 100000}\n')
        await wait_ended()
        async with await connect(state_dir) as other:
            answer = await exchange(other, b'{"command": "status"}\n')

    assert ENDED == ["stream"]
    assert answer["result"]["name"] == "bot"


async def test_a_client_that_is_cut_off_in_the_middle_harms_nobody(state_dir: Path) -> None:
    """Whether the end is seen by reading or by writing."""
    async with served(state_dir, STREAMS):
        for _ in range(20):
            async with await connect(state_dir) as stream:
                await stream.send_all(b'{"command": "count", "size": 200, "width": 10000}\n')
                await stream.receive_some()
        await wait_ended(20)
        async with await connect(state_dir) as other:
            answer = await exchange(other, b'{"command": "status"}\n')

    assert answer["result"]["name"] == "bot"


async def test_what_is_no_json_is_told_by_its_name(state_dir: Path) -> None:
    """A plugin's answer may hold anything, and must not end the host."""
    async with served(state_dir, STREAMS), await connect(state_dir) as stream:
        answer = await exchange(stream, b'{"command": "odd"}\n')

    assert answer == {"result": {"bytes": "b'\\xff'", "set": "{1}"}}


async def test_the_host_goes_while_it_is_followed(state_dir: Path) -> None:
    """Whoever follows learns that it was the host and not the answer that ended."""
    gone = []

    def watch() -> None:
        try:
            for _ in follow(state_dir, "count", endless=True):
                pass
        except HostGone as error:
            gone.append(str(error))

    async with trio.open_nursery() as nursery, served(state_dir, STREAMS):
        nursery.start_soon(trio.to_thread.run_sync, watch)
        await trio.testing.wait_all_tasks_blocked(0.1)

    assert gone == ["the host has gone"]


async def test_a_host_that_falls_silent_is_not_followed_for_ever(state_dir: Path) -> None:
    """With patience, where the host is known to speak."""
    async with served(state_dir, STREAMS):
        with pytest.raises(AskFailed, match=r"has said nothing for 0\.1 s"):
            await trio.to_thread.run_sync(partial(_followed, state_dir, patience=0.1, endless=True))


async def test_a_bug_in_a_command_is_its_answer(state_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Told to the one who asked and to the log; the host goes on."""
    async with served(state_dir, STREAMS), await connect(state_dir) as stream:
        bad = await exchange(stream, b'{"command": "broken"}\n')
        good = await exchange(stream, b'{"command": "status"}\n')

    assert bad["error"].startswith("a bug in the host, see its log: KeyError")
    assert "a control command failed" in caplog.messages
    assert good["result"]["name"] == "bot"
