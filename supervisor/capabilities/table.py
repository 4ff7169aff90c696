"""Which capabilities exist, and how does a ``cap.call`` reach its implementation and come back answered?

The order is the protocol's: the payload is valid, the plugin may, an implementation exists, it runs. Most calls are
rows of a few bytes, several thousand a second, so a plain function runs without a task; only an ``async def`` gets one.
"""

from __future__ import annotations

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import attrs
import trio

from rookery.protocol import BadPayload, CapabilityCall, ErrorCode, RemoteError, limits, structure

from ..observers import CapabilityDenied
from .catalogue import absence
from .request import CapabilityRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rookery.protocol import Request

    from ..grants import Grants

    Implementation = Callable[[CapabilityRequest], None] | Callable[[CapabilityRequest], Awaitable[Any]]

__all__ = ["CapabilityRequest", "CapabilityTable"]

MAX_WAITING_PER_PLUGIN = 2_000
"""Calls of one plugin that may be unanswered at once. A runner lets some dozens of a plugin's handlers run at a time;
far more is a flood, and must not fill the queues that the others share."""

SWEEP = 0.25
"""Seconds between two looks at calls whose caller has stopped waiting."""


@attrs.frozen(kw_only=True)
class _Row:
    implementation: Implementation
    is_async: bool
    says_mistakes: bool


class CapabilityTable:
    """Capability name → implementation, and every call that is not answered yet.

    Attributes:
        denied: Calls of what the plugin may not do; starts at 0 and only grows.
        failed: Calls whose implementation failed; likewise.
    """

    def __init__(self, grants: Grants) -> None:
        self.denied = 0
        self.failed = 0
        self.on_denied: Callable[[CapabilityDenied], None] = lambda _: None
        """Told every call of what the plugin may not do. It must not raise."""
        self._grants = grants
        self._rows: dict[str, _Row] = {}
        self._open: dict[CapabilityRequest, None] = {}
        self._waiting: Counter[str] = Counter()
        self._nursery: trio.Nursery | None = None
        self._work = trio.Event()

    def __repr__(self) -> str:
        return f"<CapabilityTable of {len(self._rows)} capabilities, {len(self._open)} calls unanswered>"

    @property
    def names(self) -> tuple[str, ...]:
        """Every capability that has an implementation, sorted."""
        return tuple(sorted(self._rows))

    @property
    def unanswered(self) -> int:
        """Calls that wait for an answer now."""
        return len(self._open)

    def register(self, name: str, implementation: Implementation, *, says_mistakes: bool = False) -> None:
        """Add an implementation, or replace the one of this name.

        Args:
            implementation: A plain function is called at once, must not block, and settles the request now or later. An
                ``async def`` runs as a task until the caller's budget is spent; what it returns is the answer, unless
                it has settled the request itself. Either may raise.
            says_mistakes: True where plugins expect mistakes in the arguments as ``{success: false, error}``.
        """
        is_async = inspect.iscoroutinefunction(implementation) or inspect.iscoroutinefunction(
            getattr(implementation, "__call__", None)  # noqa: B004  # an object with an `async def __call__`
        )
        self._rows[name] = _Row(implementation=implementation, is_async=is_async, says_mistakes=says_mistakes)

    def handle(self, request: Request, shard_name: str) -> None:
        """Answer one ``cap.call``, now or later, exactly once; never raises for what the caller or an implementation does.

        Args:
            request: Its plugin id has been checked against the connection.
        """
        try:
            call = structure(request.payload, CapabilityCall)
            _check_name(call.capability)
        except BadPayload as error:
            request.refuse_bad_payload(error)
            return
        refusal = self._grants.refusal(request.plugin_id, call.capability, shard_name)
        if refusal is not None:
            self._tell_denied(shard_name, request.plugin_id, call.capability, refusal)
            request.refuse(ErrorCode.E_CAPABILITY_DENIED, refusal)
            return
        row = self._rows.get(call.capability)
        if row is None:
            request.refuse(ErrorCode.E_METHOD_NOT_ALLOWED, absence(call.capability, self._rows))
            return
        if self._waiting[request.plugin_id] >= MAX_WAITING_PER_PLUGIN:
            request.refuse(
                ErrorCode.E_BACK_PRESSURE,
                f"{MAX_WAITING_PER_PLUGIN} calls of plugin {request.plugin_id!r} wait for an answer already",
            )
            return
        self._start(self._note(request, shard_name, call, row), row)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run asynchronous implementations and end calls that got no answer in time; until cancelled.

        Once it is cancelled, every call that is still open has been refused, and so is every later one that needs a task.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await self._sweep()
        finally:
            self._nursery = None
            for call in list(self._open):
                call.fail(ErrorCode.E_SHUTTING_DOWN, f"the host is stopping; {call.name} was not finished")

    # --- inside ----------------------------------------------------------------------------------------------------

    def _note(self, request: Request, shard_name: str, call: CapabilityCall, row: _Row) -> CapabilityRequest:
        noted = CapabilityRequest(
            request,
            shard=shard_name,
            name=call.capability,
            args=call.args,
            within=call.within,
            says_mistakes=row.says_mistakes,
            on_settled=self._note_settled,
        )
        if not self._open:
            self._work.set()
        self._open[noted] = None
        self._waiting[noted.plugin_id] += 1
        return noted

    def _note_settled(self, call: CapabilityRequest) -> None:
        del self._open[call]
        self._waiting[call.plugin_id] -= 1
        if not self._waiting[call.plugin_id]:
            del self._waiting[call.plugin_id]

    def _start(self, call: CapabilityRequest, row: _Row) -> None:
        if row.is_async:
            if self._nursery is None:
                call.fail(ErrorCode.E_SHUTTING_DOWN, f"the host is stopping; {call.name} was not started")
            else:
                self._nursery.start_soon(self._run_task, call, row, name=f"{call.name} of {call.plugin_id}")
            return
        try:
            row.implementation(call)
        except Exception as error:  # an implementation may be the embedding host's code
            self._fail(call, error)

    async def _run_task(self, call: CapabilityRequest, row: _Row) -> None:
        implementation = cast("Callable[[CapabilityRequest], Awaitable[Any]]", row.implementation)
        try:
            with trio.CancelScope(deadline=call.deadline):
                call.answer(await implementation(call))
        except Exception as error:  # as above
            self._fail(call, error)
        if not call.settled:
            self._time_out(call)

    def _fail(self, call: CapabilityRequest, error: Exception) -> None:
        if isinstance(error, RemoteError) and error.code is ErrorCode.E_CAPABILITY_DENIED:
            self._tell_denied(call.shard, call.plugin_id, call.name, error.message)
        elif not isinstance(error, BadPayload):
            self.failed += 1
        call.fail_with(error)

    def _tell_denied(self, shard: str, plugin_id: str, capability: str, reason: str) -> None:
        self.denied += 1
        self.on_denied(
            CapabilityDenied(shard=shard, plugin_id=plugin_id, capability=capability, reason=reason)
        )

    async def _sweep(self) -> None:
        while True:
            if self._open:
                await trio.sleep(SWEEP)
                now = trio.current_time()
                for call in [call for call in self._open if call.deadline <= now]:
                    self._time_out(call)
            else:
                # No timer while nothing waits.
                self._work = trio.Event()
                await self._work.wait()

    def _time_out(self, call: CapabilityRequest) -> None:
        self.failed += 1
        call.fail(ErrorCode.E_TIMEOUT, f"{call.name} was not done within the time of the call")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= limits.MAX_NAME_CHARS:
        raise BadPayload(f"must have 1 to {limits.MAX_NAME_CHARS} characters, got {len(name)}", "capability")
