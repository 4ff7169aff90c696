"""A host that does what a test says, over a real socket, with a real runner process at the other end."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import trio

from rookery.protocol import (
    PLUGIN_SHUTDOWN,
    RUNNER_EXCHANGE,
    RUNNER_EXTEND,
    RUNNER_HELLO,
    RUNNER_LOADING,
    RUNNER_LOG_BATCH,
    RUNNER_READY,
    RUNNER_STARTED,
    AssignedPlugin,
    Assignment,
    HelloAnswer,
    Link,
    Method,
    Request,
    RookeryError,
    RunnerReady,
    Session,
    Side,
    structure,
    unstructure,
)
from rookery.supervisor.page import Page

PLUGINS = Path(__file__).parents[1] / "plugins"
PATIENCE = 20.0
"""Seconds after which a test that waits for its runner gives up; far above what anything takes."""

_ANSWERS: dict[str, dict[str, Any]] = {"cap.call": {"success": True, "result": None}}


@attrs.define(eq=False)
class ScriptedHost:
    """The host's end of one runner. Everything that the runner says is kept."""

    process: subprocess.Popen[bytes]
    link: Link
    lifeline: int
    """The write end; -1 when it was closed."""
    outputs: tuple[int, int]
    """Read ends of the runner's standard output and error."""
    requests: list[tuple[str, str, dict[str, Any]]] = attrs.Factory(list)
    """Method, plugin, payload, in the order of arrival."""
    logs: list[tuple[str, str]] = attrs.Factory(list)
    """Logger and message."""
    entries: list[dict[str, Any]] = attrs.Factory(list)
    loading: list[tuple[str, str]] = attrs.Factory(list)
    started: list[int] = attrs.Factory(list)
    """Ids of requests, as broadcast."""
    extended: list[float] = attrs.Factory(list)
    """Seconds that on_load asked for."""
    exchanges: list[tuple[str, str]] = attrs.Factory(list)
    """Plugin and step."""
    hello: dict[str, Any] = attrs.Factory(dict)
    ready: RunnerReady | None = None
    answers: dict[str, Callable[[Request], None]] = attrs.Factory(dict)
    """What to do for a method instead of accepting it."""
    changed: trio.Event = attrs.Factory(trio.Event)

    async def wait_until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something that the runner says makes the condition true; return its value."""
        with trio.fail_after(PATIENCE):
            while not (value := condition()):
                await self.changed.wait()
        return value

    async def wait_ready(self) -> RunnerReady:
        ready: RunnerReady = await self.wait_until(lambda: self.ready)
        return ready

    async def wait_log(self, text: str) -> tuple[str, str]:
        """The first log entry that contains the text: logger and message."""
        found: tuple[str, str] = await self.wait_until(
            lambda: next((entry for entry in self.logs if text in entry[1]), None)
        )
        return found

    async def wait_exit(self) -> int:
        """The exit code; negative for a signal."""
        with trio.fail_after(PATIENCE):
            while self.process.poll() is None:
                await trio.sleep(0.005)
        return self.process.returncode

    async def ask(
        self, method: str, about: str = "", /, *, timeout: float = 10.0, **payload: Any
    ) -> dict[str, Any]:
        return await self.link.call(method, payload, plugin_id=about, timeout=timeout)

    async def run(self, plugin_id: str, name: str, timeout: float = 10.0, **args: Any) -> Any:
        """Run a tool of a plugin and return its result.

        Raises:
            AssertionError: It failed; the text says how.
        """
        answer = await self.ask(
            "plugin.invoke_tool", plugin_id, timeout=timeout, component_name=name, args=args
        )
        assert answer["success"], answer["result"]
        return answer["result"]

    async def run_whatever_comes(self, plugin_id: str, name: str, **args: Any) -> None:
        """Run a tool that the runner does not live to answer."""
        with contextlib.suppress(RookeryError):
            await self.run(plugin_id, name, timeout=60.0, **args)

    async def shut_down(self) -> int:
        """Ask for an orderly end; return the exit code."""
        await self.ask(PLUGIN_SHUTDOWN)
        return await self.wait_exit()

    def close_lifeline(self) -> None:
        os.close(self.lifeline)
        self.lifeline = -1

    def left_in_pipes(self) -> str:
        """What can be read of the dead runner's output."""
        left = b""
        for fd in self.outputs:
            while select.select([fd], [], [], 0)[0] and (data := os.read(fd, 65536)):
                left += data
        return left.decode("utf-8", "replace")

    # --- what the runner says ----------------------------------------------------------------------------------

    def _note(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def _on_broadcast(self, method: Method, _: str, payload: dict[str, Any]) -> None:
        if method.name == RUNNER_LOG_BATCH:
            self.entries += payload["entries"]
            self.logs += [(entry["logger_name"], entry["message"]) for entry in payload["entries"]]
        elif method.name == RUNNER_LOADING:
            self.loading.append((payload["plugin_id"], payload["phase"]))
        elif method.name == RUNNER_STARTED:
            self.started += payload["request_ids"]
        elif method.name == RUNNER_EXTEND:
            self.extended.append(payload["seconds"])
        elif method.name == RUNNER_EXCHANGE:
            self.exchanges.append((payload["plugin_id"], payload["step"]))
        self._note()


def assigned(name: str, plugin_id: str = "", **config: Any) -> AssignedPlugin:
    """One of the tiny plugins in tests/plugins, e.g. ``good``: its id is ``test.good``."""
    return AssignedPlugin(plugin_id=plugin_id or f"test.{name}", path=str(PLUGINS / name), config=config)


def assignment(*plugins: AssignedPlugin | str, **changes: Any) -> Assignment:
    """An assignment of plugins, given by name or in full."""
    full = [assigned(plugin) if isinstance(plugin, str) else plugin for plugin in plugins]
    return Assignment(shard="test", incarnation=1, plugins=full, **changes)


@contextlib.asynccontextmanager
async def open_runner(
    what: Assignment | None,
    *,
    answer: HelloAnswer | None = None,
    answers: dict[str, Callable[[Request], None]] | None = None,
    features: tuple[str, ...] = ("assignment", "loading", "logs"),
    environment: dict[str, str] | None = None,
    page: Page | None = None,
    questions: int | None = None,
    captures: bool = True,
) -> AsyncIterator[ScriptedHost]:
    """Start a runner as a host does, accept its hello with this assignment, and kill it at the end.

    Args:
        questions: The read end of a pipe in which the test asks whether it is there.
        captures: False lets it not read its own output.
    """
    accepted = answer or HelloAnswer(
        accepted=True, host_version="0.1.0", features=list(features), assignment=what
    )
    ours, theirs = socket.socketpair()
    lifeline_read, lifeline_write = os.pipe()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rookery.runner",
            "--link-fd",
            str(theirs.fileno()),
            "--lifeline-fd",
            str(lifeline_read),
            *(("--output-fds", f"{out_read},{err_read}") if captures else ()),
            *(("--page-fd", str(page.descriptor)) if page is not None else ()),
            *(("--ping-fd", str(questions)) if questions is not None else ()),
        ],
        stdin=subprocess.DEVNULL,
        stdout=out_write,
        stderr=err_write,
        pass_fds=(
            *(theirs.fileno(), lifeline_read, out_read, err_read),
            *((page.descriptor,) if page is not None else ()),
            *((questions,) if questions is not None else ()),
        ),
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )
    for fd in (lifeline_read, out_write, err_write):
        os.close(fd)
    theirs.close()
    async with _hosted(process, ours, lifeline_write, (out_read, err_read), accepted, answers or {}) as host:
        yield host


@contextlib.asynccontextmanager
async def open_original_runner(
    listener: socket.socket, address: str, *, cwd: Path | None = None, **variables: str
) -> AsyncIterator[ScriptedHost]:
    """Start a runner as a host of the original kind does: by address, token and further environment variables.

    Args:
        cwd: Its working directory, below which plugins keep their files; ``None`` is this process's.
    """
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    known = {"MAIBOT_IPC_ADDRESS": address, "MAIBOT_SESSION_TOKEN": "a token"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rookery.runner"],
        stdin=subprocess.DEVNULL,
        stdout=out_write,
        stderr=err_write,
        start_new_session=True,
        cwd=cwd,
        env={**os.environ, **known, **variables},
    )
    os.close(out_write)
    os.close(err_write)
    listener.settimeout(PATIENCE)
    sock, _ = await trio.to_thread.run_sync(listener.accept)
    listener.close()
    accepted = HelloAnswer(accepted=True, host_version="1.0.0")
    async with _hosted(process, sock, -1, (out_read, err_read), accepted, {}) as host:
        yield host


@contextlib.asynccontextmanager
async def _hosted(
    process: subprocess.Popen[bytes],
    sock: socket.socket,
    lifeline: int,
    outputs: tuple[int, int],
    answer: HelloAnswer,
    answers: dict[str, Callable[[Request], None]],
) -> AsyncIterator[ScriptedHost]:
    host: ScriptedHost

    def on_request(request: Request) -> None:
        name = request.method.name
        host.requests.append((name, request.plugin_id, request.payload))
        if name == RUNNER_HELLO:
            host.hello = request.payload
            request.answer(unstructure(answer))
        elif name in host.answers:
            host.answers[name](request)
        else:
            if name == RUNNER_READY:
                host.ready = structure(request.payload, RunnerReady)
            request.answer(_ANSWERS.get(name, {"accepted": True}))
        host._note()

    link = Link(
        sock, Session(Side.HOST), on_request=on_request, on_broadcast=lambda *told: host._on_broadcast(*told)
    )
    host = ScriptedHost(process=process, link=link, lifeline=lifeline, outputs=outputs, answers=answers)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            yield host
            nursery.cancel_scope.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        for fd in (*outputs, host.lifeline):
            if fd >= 0:
                os.close(fd)


async def refused(asking: Any) -> RookeryError:
    """Await a call that is to fail and return its error."""
    try:
        result = await asking
    except RookeryError as error:
        return error
    raise AssertionError(f"it was answered: {result}")
