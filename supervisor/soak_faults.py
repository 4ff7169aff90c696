"""How is each fault of a soak test done to a shard, and how does one see that it is over?

What a plugin can do to its runner it is told to do by a call; the rest is done from outside, by the means that an operator
has. The rules that must hold meanwhile are not looked at here: a fault says what came of it.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, PLUGIN_RELOAD, RookeryError

from .exit_report import ExitKind, signal_name
from .fate import DispatchFailed, Fate
from .process_look import start_time
from .shard_state import ShardState
from .soak_plan import Expect, FaultKind, time_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .shard import Shard
    from .soak_load import Wounds
    from .soak_plan import Fault
    from .soak_settings import SoakDeployment
    from .supervisor import Supervisor

FLOOD = 4
"""Megabytes that a flood prints."""

REST = 0.5
"""Seconds that a shard stays stopped."""

ANSWER_WAIT = 20.0
"""Seconds that an order to the plugin may take, where it is one that is answered."""

SWEEP_WAIT = 3.0
"""Seconds until a leaked child must be gone after its runner is."""

_K = FaultKind

ORDERS = {
    _K.BLOCK: "block",
    _K.HOLD: "hold",
    _K.EXIT: "exit",
    _K.ABORT: "abort",
    _K.RAISE_EXIT: "raise_exit",
    _K.CLOSE_LIFELINE: "close_lifeline",
    _K.GARBLE: "garble",
    _K.FLOOD: "flood",
    _K.ALLOCATE: "allocate",
}
"""The tool of the plugin that does it."""

SILENT = {_K.BLOCK, _K.HOLD, _K.EXIT, _K.ABORT, _K.GARBLE}
"""Those whose order is not answered: the runner ends first."""


@attrs.frozen(kw_only=True)
class FaultTold:
    """What came of one fault."""

    number: int
    kind: FaultKind
    shard: str
    at: float
    """Seconds since the load began."""
    outcome: str
    """For people."""
    recovery: float
    """Seconds until the shard was ready again."""
    is_as_expected: bool


class Unexpected(Exception):
    """A fault had another consequence than it must have; the text says which."""


class Faults:
    """Does faults to shards.

    Args:
        began: When the load did, on trio's clock.
    """

    def __init__(
        self, supervisor: Supervisor, deployment: SoakDeployment, wounds: Wounds, *, began: float
    ) -> None:
        self._supervisor = supervisor
        self._deployment = deployment
        self._wounds = wounds
        self._began = began

    async def wait_unhurt(self, name: str) -> None:
        """Until a shard works and nothing is being done to it."""
        shard = self._supervisor.shards[name]
        while True:
            await shard.state.wait_value(ShardState.READY)
            wound = self._wounds.now(name)
            if wound is None and shard.state.value is ShardState.READY:
                return
            if wound is not None:
                await wound.healed.wait()

    async def inflict(self, fault: Fault) -> FaultTold:
        """Do it, and wait until the shard is well again, as long as its policy allows. Never raises for what it finds."""
        shard = self._supervisor.shards[fault.shard]
        allowed = time_allowed(shard.settings, fault.kind) + ANSWER_WAIT
        began = trio.current_time()
        wound = self._wounds.open(fault.shard, fault.kind, began)
        problem = ""
        number = shard.incarnation
        try:
            with trio.fail_after(allowed):
                await self._do(fault.kind, shard)
        except trio.TooSlowError:
            problem = f"not well again after {allowed:.0f} s: {shard.state.value.value}, {shard.reason}"
        except Unexpected as error:
            problem = str(error)
        ended = trio.current_time()
        if shard.state.value is ShardState.READY:
            wound.close(ended)
        return FaultTold(
            number=fault.number,
            kind=fault.kind,
            shard=fault.shard,
            at=round(began - self._began, 3),
            outcome=problem or _outcome(shard, number),
            recovery=round(ended - began, 3),
            is_as_expected=not problem,
        )

    async def _do(self, kind: FaultKind, shard: Shard) -> None:
        number = shard.incarnation
        match kind:
            case _K.KILL:
                _signal(shard, signal.SIGKILL)
            case _K.STOP_SIGNAL:
                await self._stop_by_signal(shard)
                return
            case _K.LEAK_CHILD:
                await self._leak(shard, number)
                return
            case _K.RESTART:
                self._supervisor.restart_shard(shard.name)
            case _K.STOP_AND_START:
                self._supervisor.stop_shard(shard.name)
                await shard.state.wait_value(ShardState.STOPPED)
                await trio.sleep(REST)
                self._supervisor.start_shard(shard.name)
            case _K.RELOAD:
                await self._reload(shard)
            case _ if kind in SILENT:
                await self._order_end(kind, shard, number)
            case _:
                await self._order(kind, shard)
        await self._check(kind, shard, number)

    async def _check(self, kind: FaultKind, shard: Shard, number: int) -> None:
        """Wait for what must come of it."""
        if kind.expect is Expect.UNHARMED:
            if shard.incarnation != number:
                told = shard.last_exit.describe() if shard.last_exit is not None else "nobody knows why"
                raise Unexpected(f"its runner was replaced, which it must not be: {told}")
            return
        await _wait_back(shard, number)
        planned = shard.last_exit is not None and shard.last_exit.planned
        wanted = kind.expect in (Expect.CYCLED, Expect.STARTED_AGAIN)
        if planned != wanted and shard.last_exit is not None:
            raise Unexpected(
                f"the end was {'no ' if wanted else 'a '}planned one: {shard.last_exit.describe()}"
            )

    # --- what the plugin does ----------------------------------------------------------------------------------

    async def _order_end(self, kind: FaultKind, shard: Shard, number: int) -> None:
        """Tell the plugin to end its runner, or to hang; the order itself is lost with the runner, once."""
        outcomes: list[object] = []
        with trio.CancelScope() as waiting:

            def settled(outcome: object) -> None:
                outcomes.append(outcome)
                if isinstance(outcome, dict):
                    waiting.cancel()

            self._tell(shard, ORDERS[kind], {}, settled)
            await _wait_back(shard, number)
        match outcomes:
            case [DispatchFailed(fate=Fate.RUNNER_LOST | Fate.HUNG)]:
                return
        raise Unexpected(f"the order should have been lost once with its runner: {outcomes!r:.300}")

    async def _order(self, kind: FaultKind, shard: Shard) -> None:
        args: dict[str, object] = {}
        if kind is _K.FLOOD:
            args = {"megabytes": FLOOD}
        elif kind is _K.ALLOCATE:
            args = {"megabytes": self._deployment.ballast}
        answered = trio.Event()
        outcomes: list[object] = []

        def settled(outcome: object) -> None:
            outcomes.append(outcome)
            answered.set()

        self._tell(shard, ORDERS[kind], args, settled)
        with trio.move_on_after(ANSWER_WAIT):
            await answered.wait()
        outcome = outcomes[0] if outcomes else None
        if kind is _K.RAISE_EXIT:
            # A tool that raises is answered all the same: it has failed.
            if not (isinstance(outcome, dict) and outcome.get("success") is False):
                raise Unexpected(f"the call should have failed as its handler's error: {outcome!r:.200}")
        elif not isinstance(outcome, dict):
            raise Unexpected(f"the call should have been answered: {outcome!r:.200}")

    def _tell(
        self, shard: Shard, tool: str, args: dict[str, object], on_settled: Callable[[object], None]
    ) -> None:
        parts = self._supervisor.parts
        component = parts.registry.component(self._deployment.plugins[shard.name], tool)
        if component is None:
            raise Unexpected(f"its plugin has no {tool}")
        deadline = trio.current_time() + (component.timeout or ANSWER_WAIT)
        parts.dispatcher.submit(component, PLUGIN_INVOKE_TOOL, args, on_settled, deadline=deadline)

    async def _leak(self, shard: Shard, number: int) -> None:
        answers = trio.Event()
        found: list[object] = []

        def settled(outcome: object) -> None:
            found.append(outcome)
            answers.set()

        self._tell(shard, "leak_child", {}, settled)
        await answers.wait()
        pid = found[0].get("result") if isinstance(found[0], dict) else None
        if type(pid) is not int:
            raise Unexpected(f"no child was made: {found[0]!r:.200}")
        started = start_time(pid)
        _signal(shard, signal.SIGKILL)
        await self._check(_K.LEAK_CHILD, shard, number)
        with trio.move_on_after(SWEEP_WAIT):
            while started is not None and start_time(pid) == started:  # noqa: ASYNC110  # it is no child of ours
                await trio.sleep(0.02)
            return
        raise Unexpected(f"the child {pid} of its dead runner is still there")

    # --- what is done from outside -----------------------------------------------------------------------------

    async def _stop_by_signal(self, shard: Shard) -> None:
        number = shard.incarnation
        _signal(shard, signal.SIGSTOP)
        await shard.state.wait_value(lambda state: state is not ShardState.READY)
        await shard.state.wait_value(ShardState.READY)
        if shard.incarnation < number:
            raise Unexpected(f"generation {shard.incarnation} after {number}")

    async def _reload(self, shard: Shard) -> None:
        plugin_id = self._deployment.plugins[shard.name]
        if shard.link is None:
            raise Unexpected("there is no connection to its runner")
        try:
            answer = await shard.link.call(PLUGIN_RELOAD, {"plugin_id": plugin_id}, plugin_id=plugin_id)
        except RookeryError as error:
            raise Unexpected(f"the reload failed: {error}") from None
        if answer.get("reloaded_plugins") != [plugin_id]:
            raise Unexpected(f"the reload failed: {answer!r:.300}")


async def _wait_back(shard: Shard, number: int) -> None:
    """Until a later generation is ready."""
    while shard.incarnation <= number or shard.state.value is not ShardState.READY:
        await shard.state.wait_transition()


def _signal(shard: Shard, number: signal.Signals) -> None:
    # A shard has a pid for as long as its runner is not reaped: the number is nobody else's.
    if shard.pid is None:
        raise Unexpected("it has no process")
    os.kill(shard.pid, number)


def _outcome(shard: Shard, number: int) -> str:
    if shard.incarnation == number:
        return "the same runner goes on"
    how = f" ({_why(shard)})" if shard.last_exit is not None else ""
    return f"a new runner, #{shard.incarnation}{how}"


def _why(shard: Shard) -> str:
    report = shard.last_exit
    assert report is not None
    if report.hang is not None:
        return f"hang: {report.hang.value}"
    if report.kind is ExitKind.SIGNAL:
        return signal_name(report.signal or 0)
    return str(report.kind.value)
