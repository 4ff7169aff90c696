"""How does a runner come up: hello, loading, ready, each in its time, and what it may claim meanwhile?"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import (
    PLUGIN_BOOTSTRAP,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_REGISTER_PLUGIN,
    PLUGIN_UNREGISTER,
    RUNNER_EXCHANGE,
    RUNNER_EXTEND,
    RUNNER_HELLO,
    RUNNER_LOADING,
    RUNNER_LOG_BATCH,
    RUNNER_READY,
    RUNNER_STARTED,
    Accepted,
    BadPayload,
    CannotEncode,
    ErrorCode,
    Exchange,
    Extend,
    FrameTooLarge,
    Hello,
    HelloAnswer,
    Loading,
    RunnerReady,
    Started,
    shown,
    structure,
    unstructure,
)

from .exit_report import ExitKind
from .observers import PluginNotLoaded, SecurityViolation
from .process_look import number_inside
from .sdk_windows import numbers
from .shard_state import ShardState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rookery.protocol import Link, Method, Payload, Request

    from .ledger import Ledger
    from .page import Page
    from .process import Child
    from .reception import Reception
    from .shard import Shard

FEATURES = (
    "assignment",
    "loading",
    "logs",
    "ordered",
    "beats",
    "started",
    "cancel",
    "recall",
    "extend",
    "segments",
    "compact",
    "exchange",
    "within",
)
"""What the host can use of a runner beyond protocol 1.0.0."""

OLDEST_SDK, NEWEST_SDK = "1.0.0", "2.99.99"
"""Of a runner of the original kind (protocol 1.0.0)."""

LOAD_GRACE = 1.0
"""Seconds more than the runner's own limit for a plugin. The runner ends an `on_load` that waits for ever by itself and
goes on with the next plugin; the host kills only one that cannot do so any more."""

LAG_STEP = 1.0
"""Seconds between two looks at how late the host is itself, while a runner starts."""

EXTEND_NOTICE = 1.0
"""Seconds by which a limit must move before that is worth a record: a runner may ask as often as it likes."""


class Arrival:
    """The host's part of one runner's way from its first frame to ready, and of what it reports later.

    Attributes:
        loading: The plugin that is being loaded now; "" when none is.
        ready_at: When it became ready, on trio's clock; None before.
        paths: The directory of each plugin that it is to load, in the order of the assignment; empty before the hello.
        features: What the runner can do beyond protocol 1.0.0 and the host uses; empty before the hello.
        page: Where the runner says who it is; None when it has none.
        reception: Where a runner of the original kind was awaited; None for one of rookery's own.
        changed: Set when such a runner that works has registered a plugin anew, or has let one go.
        reads_own_output: Whether the runner takes care of its output pipes; known after the hello.
    """

    def __init__(
        self,
        shard: Shard,
        number: int,
        blocked: Mapping[str, str],
        terminal: Mapping[str, int],
        condemn: Callable[[ExitKind, str], None],
    ) -> None:
        self._shard = shard
        self._number = number
        self._blocked = blocked
        self._terminal = terminal
        self._condemn = condemn
        self._ready = trio.Event()
        self._deadline = trio.current_time() + shard.settings.timeouts.hello
        self._limit = trio.CancelScope()
        self._limit_text = f"no hello within {shard.settings.timeouts.hello:g} s"
        self._latest = float("inf")
        self.link: Link | None = None
        self.ledger: Ledger | None = None
        self.page: Page | None = None
        self.child: Child | None = None
        self.reception: Reception | None = None
        self.changed = trio.Event()
        self.features: frozenset[str] = frozenset()
        self.loading = ""
        self.ready_at: float | None = None
        self.greeted = trio.Event()
        self.reads_own_output = False
        self.paths: dict[str, str] = {}

    async def keep_limits(self) -> None:
        """Wait until the runner is ready; condemn it when a limit passes first."""
        now = trio.current_time()
        while not self._ready.is_set():
            # In short steps, because only the last of them tells how long the host stood still itself: nobody is to blame
            # the runner for that time, in which it may have waited for an answer.
            with trio.CancelScope(deadline=min(self._deadline, now + LAG_STEP)) as self._limit:
                await self._ready.wait()
            now = trio.current_time()
            lag = now - self._limit.deadline
            if lag > self._shard.settings.health.lag_guard:
                self._deadline += lag
                self._latest += lag
            # What the runner had said in time is still to be read.
            await trio.lowlevel.checkpoint()
            if self._deadline <= now and not self._ready.is_set():
                is_greeted = self.greeted.is_set()
                kind = ExitKind.LOAD_TIMEOUT if is_greeted else ExitKind.HELLO_TIMEOUT
                self._condemn(kind, self._limit_text)
                return

    # --- what the runner says ----------------------------------------------------------------------------------

    def take_request(self, request: Request) -> None:
        """Take any request of the runner's; those that are no part of its start go on to the traffic."""
        if request.method.name == RUNNER_HELLO:
            self._take_hello(request)
        elif request.method.name == RUNNER_READY:
            self._take_ready(request)
        else:
            if self.reception is not None:
                self._follow_original(request)
            self._shard.traffic.handle_request(self._shard, request)

    def note_stranger(self, pid: int) -> None:
        """A process has connected that has no business here, and was turned away."""
        self._tell_violation(f"process {pid} connected in the place of its runner, and was turned away")

    def _follow_original(self, request: Request) -> None:
        """It says of no plugin that it loads it; that it introduces one says as much."""
        name = request.method.name
        if self._shard.state.value is ShardState.LOADING:
            if name == PLUGIN_BOOTSTRAP and request.plugin_id in self.paths:
                self.loading = request.plugin_id
        elif name in (PLUGIN_REGISTER_COMPONENTS, PLUGIN_REGISTER_PLUGIN, PLUGIN_UNREGISTER):
            self.changed.set()

    def take_broadcast(self, method: Method, plugin_id: str, payload: Payload) -> None:
        try:
            if method.name == RUNNER_LOADING:
                self._take_loading(structure(payload, Loading))
            elif method.name == RUNNER_STARTED:
                self._take_started(structure(payload, Started))
            elif method.name == RUNNER_EXTEND:
                self._take_extend(structure(payload, Extend))
            elif method.name == RUNNER_EXCHANGE:
                self._shard.traffic.plugin_exchanged(self._shard, structure(payload, Exchange))
            elif method.name == RUNNER_LOG_BATCH:
                self._shard.log_sink.take_batch(self._shard.name, self._shard.plugins, payload)
        except BadPayload as error:
            # Nobody waits for an answer, so this is the only place where it can be seen.
            assert self.link is not None
            self.link.session.counters.bad_notices += 1
            text = f"the runner sent a {method.name} that cannot be used: {error}"
            self._shard.log_sink.write_output(self._shard.name, "", text.encode(), level=logging.WARNING)

    def _take_hello(self, request: Request) -> None:
        shard = self._shard
        try:
            hello = structure(request.payload, Hello)
        except BadPayload as error:
            request.refuse_bad_payload(error)
            self._refuse(f"its hello cannot be used: {error}")
            return
        if shard.state.value is not ShardState.HELLO:
            self._turn_away(request, "the host stops this runner")
            return
        if self.reception is not None and not self._may_come_in(request, hello, self.reception):
            return
        assignment = shard.assign(shard, self._number, dict(self._blocked))
        self.paths = {assigned.plugin_id: assigned.path for assigned in assignment.plugins}
        answer = HelloAnswer(
            accepted=True,
            host_version=shard.host_version,
            features=[
                each for each in FEATURES if each in hello.features and each not in shard.settings.without
            ],
            assignment=attrs.evolve(assignment, terminal=dict(self._terminal))
            if self.reception is None or "assignment" in hello.features
            else None,
        )
        try:
            request.answer(unstructure(answer))
        except (CannotEncode, FrameTooLarge) as error:
            self._turn_away(request, f"the assignment cannot be sent: {error}")
            self._refuse(f"what it is to load cannot be sent: {error}")
            return
        self.features = frozenset(answer.features)
        self.reads_own_output = "logs" in hello.features and self.reception is None
        self.greeted.set()
        if self.child is not None:
            shard.pid = self.child.runner_pid
        shard.move(ShardState.LOADING, "its hello was accepted", by="T5")
        self._latest = trio.current_time() + max(self._start_max, shard.settings.timeouts.load)
        self._take_loading(Loading(plugin_id=""))
        if self.reception is not None and "loading" not in self.features:
            self._limit_text = "not ready in time; an original runner does not say what it does meanwhile"
            self._move_limit(self._latest)
        assert self.link is not None
        shard.link = self.link
        shard.features = self.features
        shard.traffic.runner_connected(shard, self.link)

    def _may_come_in(self, request: Request, hello: Hello, reception: Reception) -> bool:
        """What protocol 1.0.0 asks of a hello that came over a socket with an address."""
        if not reception.admits(hello.session_token):
            self._turn_away(request, "invalid session token")
            self._tell_violation("its hello has another token than it was given")
            self._refuse("its hello has another token than it was given")
            return False
        if not numbers(OLDEST_SDK) <= numbers(hello.sdk_version) <= numbers(NEWEST_SDK):
            told = f"its SDK is {shown(hello.sdk_version)}, and this host takes {OLDEST_SDK} to {NEWEST_SDK}"
            self._turn_away(request, told)
            self._refuse(told)
            return False
        return True

    def _turn_away(self, request: Request, reason: str) -> None:
        answer = HelloAnswer(accepted=False, host_version=self._shard.host_version, reason=reason)
        request.answer(unstructure(answer))

    def _refuse(self, reason: str) -> None:
        if self.link is not None:
            self.link.flush_nowait()  # the runner may still read why
        self._condemn(ExitKind.REFUSED, reason)

    def _take_loading(self, loading: Loading) -> None:
        if loading.plugin_id and not self._may_name([loading.plugin_id], "loads"):
            return
        self.loading = loading.plugin_id
        timeouts = self._shard.settings.timeouts
        allowed = timeouts.plugin_load + LOAD_GRACE if loading.plugin_id else timeouts.load
        deadline = trio.current_time() + allowed
        self._limit_text = f"no progress for {allowed:g} s"
        if loading.phase:
            self._limit_text += f" in {shown(loading.phase)}"
        if deadline > self._latest:
            self._limit_text = "too long since its hello"
        self._move_limit(min(deadline, self._latest))

    def _move_limit(self, deadline: float) -> None:
        self._deadline = deadline
        self._limit.deadline = min(self._limit.deadline, deadline)

    def _take_started(self, started: Started) -> None:
        if self.ledger is not None:
            self.ledger.note_started(started.request_ids)

    def _take_extend(self, extend: Extend) -> None:
        """Loading takes longer: so many seconds more from now, and never more than a start may take in all."""
        if self._shard.state.value is not ShardState.LOADING:
            return  # too late, or it is being stopped
        if not math.isfinite(extend.seconds) or extend.seconds <= 0:
            raise BadPayload(f"{extend.seconds!r} is not a number of seconds above 0", "seconds")
        seconds = min(extend.seconds, self._start_max)
        wanted = trio.current_time() + seconds
        before = self._deadline
        if wanted <= before:
            return
        self._limit_text = f"not done within the {seconds:g} s that it had asked for"
        if wanted > self._latest:
            self._limit_text = "too long since its hello"
        self._move_limit(min(wanted, self._latest))
        if self._deadline >= before + EXTEND_NOTICE:
            reason = f"it asks for {seconds:g} s more"
            self._shard.move(ShardState.LOADING, reason, by="T8")

    @property
    def _start_max(self) -> float:
        return self._shard.settings.timeouts.start_max

    def _take_ready(self, request: Request) -> None:
        shard = self._shard
        try:
            ready = structure(request.payload, RunnerReady)
        except BadPayload as error:
            request.refuse_bad_payload(error)
            self._condemn(ExitKind.PROTOCOL, f"its ready cannot be used: {error}")
            return
        if self._ready.is_set() and self.reception is not None:
            request.answer(unstructure(Accepted()))  # one that is asked twice says it twice
            return
        if self._ready.is_set():
            request.refuse(ErrorCode.E_METHOD_NOT_ALLOWED, "this runner was ready before")
            self._condemn(ExitKind.PROTOCOL, "it said that it is ready twice")
            return
        if self.reception is not None:
            ready = self._without_strange_failures(ready)
        if not self._may_name([*ready.loaded_plugins, *ready.failed_plugins, *ready.inactive_plugins], "has"):
            request.refuse(ErrorCode.E_UNAUTHORIZED, "ready names plugins of another shard")
            return
        if not self._is_who_it_says():
            request.refuse(ErrorCode.E_UNAUTHORIZED, "ready comes from another process")
            return
        request.answer(unstructure(Accepted()))
        if shard.state.value is not ShardState.LOADING:
            return  # it is being stopped, and was asked for nothing
        self.loading = ""
        self._report_failed(ready)
        if ready.failed_plugins and not ready.loaded_plugins and not ready.inactive_plugins:
            self._condemn(ExitKind.LOAD_FAILED, "none of its plugins could be loaded")
            return
        self.ready_at = trio.current_time()
        self._ready.set()
        shard.loaded = tuple(ready.loaded_plugins)
        shard.traffic.runner_ready(shard, ready)
        shard.become_ready()

    def _without_strange_failures(self, ready: RunnerReady) -> RunnerReady:
        """An original runner reads manifests itself, and names one that it cannot read as that says: no claim to anything."""
        return attrs.evolve(
            ready,
            failed_plugins=[each for each in ready.failed_plugins if each in self.paths],
            inactive_plugins=[each for each in ready.inactive_plugins if each in self.paths],
        )

    def _is_who_it_says(self) -> bool:
        """Whether the process that keeps the page is the one that was started; a page that nobody keeps proves nothing."""
        head = self.page.read_head() if self.page is not None else None
        if head is None or not head.pid or head.pid == self._shard.pid:
            return True
        if self._shard.pid is not None and head.pid == number_inside(self._shard.pid):
            return True  # it counts processes as its own namespace does
        claim = f"process {head.pid} speaks for it, and {self._shard.pid} was started"
        self._tell_violation(claim)
        self._condemn(ExitKind.PROTOCOL, claim)
        return False

    def _tell_violation(self, claim: str) -> None:
        record = SecurityViolation(shard=self._shard.name, incarnation=self._number, claim=claim)
        self._shard.observers.notify(record)

    def _report_failed(self, ready: RunnerReady) -> None:
        shard = self._shard
        shard.failed = dict(self._blocked)
        for plugin_id in ready.failed_plugins:
            if plugin_id in self._blocked:
                continue  # reported when it was blocked
            reason = ready.failed_plugin_reasons.get(plugin_id) or "the runner gave no reason"
            shard.failed[plugin_id] = reason
            record = PluginNotLoaded(shard=shard.name, plugin_id=plugin_id, reason=reason, blocked=False)
            shard.observers.notify(record)

    def _may_name(self, names: list[str], verb: str) -> bool:
        """Whether it was given all of these; a runner that claims others is condemned."""
        given = self.paths or self._shard.plugins  # the shard's own may have changed since
        strangers = sorted({name for name in names if name not in given})
        if not strangers:
            return True
        claim = f"it says that it {verb} {', '.join(map(shown, strangers))}, which this shard does not hold"
        record = SecurityViolation(shard=self._shard.name, incarnation=self._number, claim=claim)
        self._shard.observers.notify(record)
        self._condemn(ExitKind.PROTOCOL, claim)
        return False
