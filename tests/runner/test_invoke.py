"""Every request is answered once, whatever the plugin does; what it raises is its own failure and nobody else's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import trio

from rookery.protocol import (
    PLUGIN_EMIT_EVENT,
    PLUGIN_INVOKE_COMMAND,
    PLUGIN_INVOKE_HOOK,
    PLUGIN_INVOKE_LLM_PROVIDER,
    PLUGIN_INVOKE_TOOL,
    ErrorCode,
    RemoteError,
)
from rookery.runner import HookOutcome, Message, Plugin, PluginFailed, command, event_handler, hook, tool
from rookery.runner.border import call_guarded, current_plugin, run_guarded
from rookery.runner.fake_host import FakeRequest
from rookery.runner.invoke import Invoker
from rookery.runner.testing import RunningPlugin
from tests.runner.makers import a_request, message_map, running


class Odd(Plugin):
    """Does whatever the test puts in."""

    act: Callable[[], Any] = staticmethod(lambda: None)

    @tool("async")
    async def in_loop(self) -> Any:
        result = self.act()
        return await result if hasattr(result, "__await__") else result

    @tool("plain")
    def in_thread(self) -> Any:
        return self.act()

    @tool("rest")
    async def rest(self, **rest: Any) -> list[str]:
        return sorted(rest)

    @command("say")
    async def say(self, message: Message) -> str:
        return message.text

    @event_handler("seen")
    async def see(self, message: Message) -> Any:
        return self.act()

    @hook("point")
    async def point(self) -> Any:
        return self.act()


def _raise(error: BaseException) -> NoReturn:
    raise error


async def asked(
    plugin: RunningPlugin[Odd], method: str, name: str, timeout_ms: int = 30_000, **args: Any
) -> FakeRequest:
    """Let an invoker of its own answer one request."""
    request = a_request(method, name, timeout_ms, **args)
    await Invoker(trio.CapacityLimiter(2), lambda _: None).answer(request, plugin.loaded)
    return request


def error_of(request: FakeRequest) -> RemoteError:
    assert request.answered is None
    assert isinstance(request.error, RemoteError)
    return request.error


async def test_a_handler_answers_with_its_result() -> None:
    """The usual case."""
    async with running(Odd) as plugin:
        request = await asked(plugin, PLUGIN_INVOKE_COMMAND, "say", message=message_map("hi"))

    assert request.answered == {"success": True, "result": "hi"}


@pytest.mark.parametrize("name", ["async", "plain"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("boom"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        BaseExceptionGroup("both", [SystemExit(1), ValueError("boom")]),
        ExceptionGroup("lone", [ValueError("boom")]),
        RecursionError(),
        MemoryError(),
        StopIteration(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_is_raised_is_the_plugins_failure(
    name: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The runner lives, the answer says it in one line, the plugin's log has the traceback."""
    async with running(Odd) as plugin:
        plugin.instance.act = lambda: _raise(error)
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, name)

    assert request.answered is not None
    assert request.answered["success"] is False
    assert "(test_invoke.py line " in request.answered["result"] or isinstance(error, StopIteration)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("plugin.test.odd", logging.ERROR)
    assert record.exc_info


async def test_the_failure_of_an_event_lets_the_event_go_on() -> None:
    """As protocol 1.0.0 says."""
    async with running(Odd) as plugin:
        plugin.instance.act = lambda: _raise(ValueError("boom"))
        event = await asked(plugin, PLUGIN_EMIT_EVENT, "see", message=message_map())
        point = await asked(plugin, PLUGIN_INVOKE_HOOK, "point")

    assert event.answered is not None
    assert point.answered is not None
    assert (event.answered["success"], event.answered["continue_processing"]) == (False, True)
    assert (point.answered["success"], point.answered["action"]) == (False, "continue")
    assert point.answered["error_message"].startswith("ValueError: boom (test_invoke.py line ")


async def test_a_handler_past_its_deadline_is_cancelled_and_named(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The refusal comes in time."""
    async with running(Odd) as plugin:
        plugin.instance.act = trio.sleep_forever
        started = trio.current_time()
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, "async", timeout_ms=1500)

    error = error_of(request)
    assert (error.code, error.message) == (
        ErrorCode.E_TIMEOUT,
        "async of test.odd did not end within 1.5 s and was cancelled",
    )
    assert trio.current_time() - started == pytest.approx(1.5)


async def test_a_cancellation_that_a_handler_turns_into_an_error_is_a_timeout(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The caller hears the cause and not its consequence."""

    async def twist() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise RuntimeError("interrupted") from None

    async with running(Odd) as plugin:
        plugin.instance.act = twist
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, "async", timeout_ms=100)

    assert error_of(request).code is ErrorCode.E_TIMEOUT


async def test_a_plain_handler_past_its_deadline_is_left_behind() -> None:
    """The answer is in time although nothing can stop a thread."""
    release = threading.Event()
    async with running(Odd) as plugin:
        plugin.instance.act = release.wait
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, "plain", timeout_ms=30)
        release.set()

    assert error_of(request).code is ErrorCode.E_TIMEOUT


async def test_an_unload_refuses_what_is_running() -> None:
    """A cancel from outside answers first and then passes on."""
    request = a_request(PLUGIN_INVOKE_TOOL, "async")
    async with running(Odd) as plugin:
        plugin.instance.act = trio.sleep_forever
        invoker = Invoker(trio.CapacityLimiter(2), lambda _: None)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(invoker.answer, request, plugin.loaded)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()

    assert scope.cancelled_caught
    assert error_of(request).code is ErrorCode.E_SHUTTING_DOWN


@pytest.mark.parametrize(
    ("method", "name", "told"),
    [
        (PLUGIN_INVOKE_TOOL, "missing", "test.odd has no component 'missing'; it offers async, plain"),
        (
            PLUGIN_INVOKE_COMMAND,
            "async",
            "plugin.invoke_command does not run 'async' of test.odd: it is a TOOL",
        ),
        (PLUGIN_INVOKE_LLM_PROVIDER, "async", "test.odd offers no model provider"),
    ],
)
async def test_what_a_plugin_does_not_offer_is_refused(method: str, name: str, told: str) -> None:
    """With what it does offer."""
    async with running(Odd) as plugin:
        request = await asked(plugin, method, name)

    error = error_of(request)
    assert error.code is ErrorCode.E_METHOD_NOT_ALLOWED
    assert error.message.startswith(told)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        pytest.param({"args": {}}, "component_name", id="no name"),
        pytest.param({"component_name": "say", "args": []}, "args", id="arguments that are no map"),
        pytest.param({"component_name": "say", "args": {}}, "args.message", id="an argument that is missing"),
    ],
)
async def test_a_crooked_request_is_refused_with_the_path(payload: dict[str, Any], path: str) -> None:
    """The caller is told where."""
    request = a_request(PLUGIN_INVOKE_COMMAND, "say")
    request.payload = payload
    async with running(Odd) as plugin:
        await Invoker(trio.CapacityLimiter(2), lambda _: None).answer(request, plugin.loaded)

    error = error_of(request)
    assert error.code is ErrorCode.E_BAD_PAYLOAD
    assert error.details["path"] == path


class _Loud(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("changed meanwhile")


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("result", "kind", "told"),
    [
        pytest.param(object(), "ResultUnencodable", "a object cannot be sent", id="an object"),
        pytest.param(
            {1: "a"}, "ResultUnencodable", "map keys must be text, got the key 1", id="a number as key"
        ),
        pytest.param(_circle(), "ResultUnencodable", "nests deeper", id="a circle"),
        pytest.param(2**70, "ResultUnencodable", "cannot be sent", id="a huge number"),
        pytest.param("\ud800", "ResultUnencodable", "surrogates not allowed", id="half a character"),
        pytest.param(_Loud(a=1), "ResultUnencodable", "changed meanwhile", id="a map that raises"),
        pytest.param(b"x" * 17_000_000, "ResultTooLarge", "exceeds the limit of 16777216 bytes", id="17 MB"),
    ],
)
async def test_a_result_that_cannot_be_sent_is_refused(result: object, kind: str, told: str) -> None:
    """The caller is not left waiting, and the author reads why."""
    async with running(Odd) as plugin:
        plugin.instance.act = lambda: result
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, "async")

    error = error_of(request)
    assert (error.code, error.details["kind"]) == (ErrorCode.E_UNKNOWN, kind)
    assert error.message.startswith("the result of async cannot be sent: ")
    assert told in error.message


async def test_a_set_is_sent_as_a_list() -> None:
    """Authors return sets, and the wire has none."""
    async with running(Odd) as plugin:
        plugin.instance.act = lambda: {"tags": {"b", "a"}}
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, "async")

    assert request.answered == {"success": True, "result": {"tags": ["a", "b"]}}


async def test_names_that_are_no_text_do_not_reach_a_handler() -> None:
    """msgpack lets bytes through as keys; Python does not take them as names."""
    request = a_request(PLUGIN_INVOKE_TOOL, "rest")
    request.payload["args"] = {b"odd": 1, "even": 2}
    async with running(Odd) as plugin:
        await Invoker(trio.CapacityLimiter(2), lambda _: None).answer(request, plugin.loaded)

    assert request.answered == {"success": True, "result": ["even"]}


async def test_the_end_of_each_step_is_told() -> None:
    """After the plugin's code and before the answer, failed or not."""
    ended: list[str] = []
    async with running(Odd) as plugin:
        invoker = Invoker(trio.CapacityLimiter(2), ended.append)
        await invoker.answer(a_request(PLUGIN_INVOKE_TOOL, "async"), plugin.loaded)
        plugin.instance.act = lambda: _raise(ValueError())
        await invoker.answer(a_request(PLUGIN_INVOKE_TOOL, "plain"), plugin.loaded)

    assert ended == ["test.odd", "test.odd"]


@pytest.mark.parametrize("name", ["async", "plain"])
async def test_plugin_code_knows_whose_it_is(name: str) -> None:
    """In the loop and in a thread; outside it is nobody's."""
    async with running(Odd) as plugin:
        plugin.instance.act = current_plugin.get
        request = await asked(plugin, PLUGIN_INVOKE_TOOL, name)

    assert request.answered == {"success": True, "result": "test.odd"}
    assert current_plugin.get() == ""


async def test_plain_handlers_run_in_a_bounded_pool() -> None:
    """One plugin cannot take all threads of the machine."""
    limiter = trio.CapacityLimiter(2)
    release = threading.Event()
    running_now: list[int] = []

    def work() -> None:
        running_now.append(1)
        release.wait(5)

    async with running(Odd) as plugin, trio.open_nursery() as nursery:
        plugin.instance.act = work
        invoker = Invoker(limiter, lambda _: None)
        for _ in range(5):
            nursery.start_soon(invoker.answer, a_request(PLUGIN_INVOKE_TOOL, "plain"), plugin.loaded)
        while len(running_now) < 2:
            await trio.sleep(0.001)
        await trio.testing.wait_all_tasks_blocked()
        at_once = len(running_now)
        release.set()

    assert at_once == 2
    assert len(running_now) == 5


async def test_run_guarded_awaits_what_a_plain_function_hands_out() -> None:
    """A wrapper without functools.wraps hides that its function is a coroutine function."""

    async def inner() -> str:
        await trio.lowlevel.checkpoint()
        return current_plugin.get()

    assert await run_guarded("test.odd", lambda: inner()) == "test.odd"


def test_call_guarded_stops_everything() -> None:
    """For the steps that run in the loop itself."""
    with pytest.raises(PluginFailed, match=r"^SystemExit: 3 \(test_invoke\.py line \d+, in _raise\)$"):
        call_guarded("test.odd", _raise, SystemExit(3))
    assert current_plugin.get() == ""


async def test_a_cancelled_group_is_a_cancellation() -> None:
    """A nursery of the plugin may wrap it; it must reach its scope all the same."""

    async def nested() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    with trio.move_on_after(0.01) as scope:
        await run_guarded("test.odd", nested)

    assert scope.cancelled_caught


@pytest.mark.parametrize("host_merges", [True, False])
async def test_a_hook_handler_tells_a_host_that_merges_only_what_it_names(host_merges: bool) -> None:
    """Any other host replaces all arguments by what it is told, and needs the rest of them."""

    class Renames(Plugin):
        @hook("point")
        async def point(self, box: list[int]) -> HookOutcome:
            box.append(2)
            return HookOutcome.change(title="new")

    async with running(Renames) as plugin:
        request = a_request(PLUGIN_INVOKE_HOOK, "point", title="old", box=[1], hook_name="point")
        invoker = Invoker(trio.CapacityLimiter(2), lambda _: None, host_merges=host_merges)
        await invoker.answer(request, plugin.loaded)

    assert request.answered is not None
    changed = request.answered["modified_kwargs"]
    assert changed == ({"title": "new"} if host_merges else {"title": "new", "box": [1, 2]})
