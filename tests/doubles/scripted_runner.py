"""Runners that are tasks of the test: a script speaks the real protocol over the real socket, and no process exists."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from rookery.protocol import (
    RUNNER_LOADING,
    RUNNER_READY,
    ConnectionLost,
    Hello,
    HelloAnswer,
    Link,
    Loading,
    Method,
    RemoteError,
    Request,
    RunnerReady,
    Session,
    Side,
    offer_hello,
    unstructure,
)
from rookery.protocol import page as layout
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.process import Launch, Usage
from rookery.supervisor.process_look import ProcessLook
from rookery.supervisor.wear import NOTHING, FamilyLook

Script = Callable[["ScriptedRunner"], Awaitable[None]]

SHUTDOWN = "plugin.shutdown"
FEATURES = ["assignment", "loading", "logs"]


class ScriptedRunner:
    """One runner; what `Process` is for a real one.

    Attributes:
        signals: What it was sent, in order: `TERM`, `KILL`, `USR1`, `CONT`.
        told: What it was told by broadcasts of the host, in order: method and payload.
        features: What it announces in its hello.
        stacks: What it writes when it is asked where it is; "" for a runner that does not listen to that.
        looks: What its process looks like from outside.
        requests: What the host asked; the script's link answers by `answer`.
        ignores_term: Whether SIGTERM does nothing.
        is_unkillable: Whether SIGKILL does nothing, as for a process in state D.
    """

    def __init__(self, pid: int, launch: Launch) -> None:
        self.pid = pid
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.features = FEATURES
        self.stacks = ""
        self.looks = ProcessLook(state="S")
        self.usage: Usage | None = None
        self.signals: list[str] = []
        self.requests: list[Request] = []
        self.ignores_term = False
        self.is_unkillable = False
        self.is_reaped = False
        self.is_abandoned = False
        self.answer: Callable[[Request], None] = self.answer_politely
        self.assignment: Any = None
        self._status: int | None = None
        self._begun = 0
        self._dead = trio.Event()
        self._stderr = os.dup(launch.stderr)
        self._page = _copy_of(launch, "--page-fd")
        sock = socket.socket(fileno=_copy_of(launch, "--link-fd"))
        self.link = Link(sock, Session(Side.RUNNER), on_request=self._take, on_broadcast=self._note)

    # --- what its host does ------------------------------------------------------------------------------------

    async def wait_dead(self) -> None:
        await self._dead.wait()

    def ask_to_leave(self) -> None:
        self.signals.append("TERM")
        if not self.ignores_term:
            self.die(-15)

    def kill(self) -> None:
        if not self._dead.is_set():
            self.signals.append("KILL")
            if not self.is_unkillable:
                self.die(-9)

    def sweep(self) -> None:
        pass  # it has no children

    @property
    def runner_pid(self) -> int:
        return self.pid

    def ask_for_stacks(self) -> bool:
        if not self.stacks:
            return False
        self.signals.append("USR1")
        self.write_error(self.stacks)
        return True

    def resume(self) -> None:
        self.signals.append("CONT")

    def look(self) -> ProcessLook:
        return self.looks

    def glance(self) -> ProcessLook:
        return self.look()

    def look_at_family(self, limits: ShardLimits) -> FamilyLook:
        return NOTHING

    def reap(self) -> int | None:
        self.is_reaped = self._dead.is_set()
        return self._status

    def abandon(self) -> None:
        self.is_abandoned = True
        self.vanish()

    # --- what its script does ----------------------------------------------------------------------------------

    def die(self, status: int) -> None:
        """End with an exit code, or with minus a signal's number."""
        if not self._dead.is_set():
            self._status = status
            self._dead.set()
            self.link.flush_nowait()
            self.vanish()

    def vanish(self) -> None:
        """Close the connection and go on living."""
        self.link.close()

    def write_page(self, place: int, value: int) -> None:
        """Store one number of the shared page, as a mapped one would be stored."""
        if self._page is not None:
            os.pwrite(self._page, struct.pack("=Q", value), place)

    def start(self, *request_ids: int) -> None:
        """Say on the page that these requests begin."""
        for request_id in request_ids:
            self.write_page(layout.STARTED_AT + 8 * self._begun, request_id)
            self._begun += 1

    def write_error(self, text: str) -> None:
        """Write to its standard error."""
        os.write(self._stderr, text.encode())

    def close_descriptors(self) -> None:
        """What the kernel does with those of a process that is gone."""
        os.close(self._stderr)
        if self._page is not None:
            os.close(self._page)

    async def say_hello(self) -> HelloAnswer:
        hello = Hello(runner_id="scripted", sdk_version="2.0.0", session_token="", features=self.features)
        answer = await offer_hello(self.link, hello)
        self.assignment = answer.assignment
        return answer

    def say_loading(self, plugin_id: str, phase: str = "import") -> None:
        self.link.broadcast(RUNNER_LOADING, unstructure(Loading(plugin_id=plugin_id, phase=phase)))
        self.link.flush_nowait()

    async def say_ready(self, loaded: Sequence[str] = (), failed: Sequence[str] = ()) -> None:
        ready = RunnerReady(
            loaded_plugins=list(loaded),
            failed_plugins=list(failed),
            failed_plugin_reasons=dict.fromkeys(failed, "ImportError: no module"),
        )
        await self.link.call(RUNNER_READY, unstructure(ready))

    def answer_politely(self, request: Request) -> None:
        """Acknowledge everything and end when that is asked for."""
        request.answer({"acknowledged": True})
        if request.method.name == SHUTDOWN:
            self.die(0)

    def _take(self, request: Request) -> None:
        self.requests.append(request)
        self.answer(request)

    def _note(self, method: Method, plugin_id: str, payload: dict[str, Any]) -> None:
        self.told.append((method.name, payload))


class ScriptedRunners:
    """Starts scripted runners in a nursery of the test.

    Args:
        script: What every runner does, or a list: the n-th runner gets the n-th script, the rest the last one.
    """

    def __init__(self, nursery: trio.Nursery, script: Script | list[Script]) -> None:
        self._nursery = nursery
        self._scripts = script if isinstance(script, list) else [script]
        self.started: list[ScriptedRunner] = []
        self.failures: list[OSError] = []
        """Raised instead of starting one, first to last."""

    def spawn(self, launch: Launch) -> ScriptedRunner:
        if self.failures:
            raise self.failures.pop(0)
        number = len(self.started)
        runner = ScriptedRunner(10_000 + number, launch)
        self.started.append(runner)
        self._nursery.start_soon(self._play, runner, self._scripts[min(number, len(self._scripts) - 1)])
        return runner

    @staticmethod
    async def _play(runner: ScriptedRunner, script: Script) -> None:
        async with trio.open_nursery() as nursery:

            async def act() -> None:
                try:
                    await script(runner)
                except (ConnectionLost, RemoteError):
                    pass  # its host has ended it, and may have told it why

            nursery.start_soon(act)
            try:
                await runner.link.run()
            finally:
                runner.close_descriptors()
            nursery.cancel_scope.cancel()


def _copy_of(launch: Launch, option: str) -> int | None:
    if option not in launch.command:
        return None
    return os.dup(int(launch.command[launch.command.index(option) + 1]))


async def work(runner: ScriptedRunner) -> None:
    """The script of a good runner: it loads everything and works until it is told to end."""
    await runner.say_hello()
    plugins = [assigned.plugin_id for assigned in runner.assignment.plugins]
    for plugin_id in plugins:
        runner.say_loading(plugin_id)
    await runner.say_ready(plugins)
    await trio.sleep_forever()


async def be_silent(runner: ScriptedRunner) -> None:
    """The script of a runner that never says hello."""
    await trio.sleep_forever()
