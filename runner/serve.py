"""What does a runner do from its hello to its end?

One nursery holds the link, the sending of logs, the plugins' scopes and whatever answers the host. It ends in one of four
ways: the host asked for it or SIGTERM came (unload, 0), the host went (at once, 77), the host spoke otherwise (76), or
rookery has a bug (the exception leaves this file, 70).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import uuid
from functools import partial
from typing import TYPE_CHECKING

import trio

from rookery.protocol import (
    RUNNER_READY,
    RUNNER_STARTED,
    Assignment,
    BadPayload,
    Hello,
    HelloAnswer,
    Link,
    RemoteError,
    RequestTimedOut,
    RookeryError,
    Session,
    Shortcut,
    Side,
    Started,
    offer_hello,
    unstructure,
)

from .beat import show_life
from .calls import MAX_STUCK, Calls
from .crumbs import CRUMBS
from .desk import Desk
from .discovery import Found, find_assigned, find_in_directories
from .forks import FORKS
from .host import HostOverLink
from .inbox import Inbox
from .invoke import Invoker
from .last_words import say_last_words
from .leave import HOST_LOST, RECYCLE, REFUSED, leave_at_once, leave_in_time
from .loading import load_all
from .logs import RUNNER_LOGGER, LogShipper, PrintStream, logger_name_of
from .output import RawOutput
from .page import OwnPage, open_own_page
from .reload import Reloader
from .roster import Roster
from .rounds import Rounds
from .stopping import Stopping
from .worker_threads import keep_no_threads

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable

    from .scope import PluginScope
    from .start import Start

SDK_VERSION = "2.0.0"
"""What the hello says about the plugins' SDK; an original host wants 1.0.0 to 2.99.99."""

FEATURES = (
    "assignment", "loading", "logs", "ordered", "beats", "started", "cancel", "recall", "extend", "segments",
    "compact", "exchange", "within",
)  # fmt: skip

STOP_GRACE = 5.0
"""Seconds for unloading everything after SIGTERM."""

LAST_FLUSH = 1.0
"""Seconds for the last log entries and answers to reach the kernel."""

_log = logging.getLogger(RUNNER_LOGGER)


async def serve(start: Start, sock: socket.socket) -> int:
    """Be a runner over a connected socket, which is taken over.

    Returns the exit code of a runner that was asked to end, or refused; one whose host goes does not come back.
    """
    inbox = Inbox()
    page = open_own_page(start.page_fd)
    link = Link(
        sock,
        Session(Side.RUNNER),
        on_request=inbox.take,
        on_broadcast=inbox.hear,
        on_taken=page.note_taken,
    )
    if start.page_fd is not None:
        show_life(page, start.ping_fd)
    return await _serve(link, inbox, page, start)


async def _serve(link: Link, inbox: Inbox, page: OwnPage, start: Start) -> int:
    async with trio.open_nursery() as nursery:
        link.lend(nursery)
        nursery.start_soon(_run_link, link)
        answer = await _say_hello(link, start)
        code = REFUSED
        if answer.accepted:
            code = await _be_runner(link, inbox, start, answer, nursery, page)
        await link.flush(LAST_FLUSH)
        leave_in_time(code)
        link.close()
        nursery.cancel_scope.cancel()
    return code


async def _run_link(link: Link) -> None:
    end = await link.run()
    if end.kind == "closed":
        return
    # Unloading would be talking to nobody, and what nobody supervises must not go on.
    say_last_words(f"{RUNNER_LOGGER}: the connection to the host ended: {end.reason}\n")
    leave_at_once(REFUSED if end.kind == "protocol" else HOST_LOST)


async def _say_hello(link: Link, start: Start) -> HelloAnswer:
    hello = Hello(
        runner_id=str(uuid.uuid4()),
        sdk_version=SDK_VERSION,
        session_token=start.token,
        features=list(FEATURES),
        pid=os.getpid(),
    )
    try:
        answer = await offer_hello(link, hello)
    except RequestTimedOut:
        say_last_words(f"{RUNNER_LOGGER}: the host did not answer the hello\n")
        leave_at_once(HOST_LOST)
    except (RemoteError, BadPayload) as error:
        answer = HelloAnswer(accepted=False, reason=str(error))
    if not answer.accepted:
        reason = answer.reason or "it gave no reason"
        say_last_words(f"{RUNNER_LOGGER}: the host refused this runner: {reason}\n")
    return answer


async def _be_runner(
    link: Link, inbox: Inbox, start: Start, answer: HelloAnswer, nursery: trio.Nursery, page: OwnPage
) -> int:
    """Load, serve until asked to stop, unload; return the exit code."""
    assignment, discover = _task_of(start, answer)
    CRUMBS.open(page, [assigned.plugin_id for assigned in assignment.plugins])
    FORKS.watch(CRUMBS.fall_silent)
    calls = Calls(page, partial(_say_started, link) if "started" in answer.features else None)
    async with _captured_output(link, start, assignment.log_level, nursery) as (
        shipper,
        on_step_end,
        streams,
    ):
        for remark in start.remarks:
            _log.warning("%s", remark)
        scopes: dict[str, PluginScope] = {}
        roster = Roster(
            HostOverLink(link, assignment, answer.features),
            scopes,
            nursery,
            on_step_end=on_step_end,
            on_loading=shipper.note_loading,
            time_limit=assignment.plugin_load_timeout,
        )
        invoker = Invoker(
            trio.CapacityLimiter(assignment.thread_limit),
            on_step_end,
            calls=calls,
            host_merges=answer.assignment is not None,  # an original host replaces them all
        )
        invoker.open_lines = streams[0].lines, streams[1].lines
        stopping = Stopping()
        reloader = Reloader(roster, discover, assignment.external_plugins)
        desk = Desk(roster, invoker, reloader, stopping, nursery, calls=calls, owed=link.session.owed)

        rounds = Rounds(
            partial(_look_around, desk, calls, stopping, assignment.thread_limit),
            lambda: bool(link.session.owed) or calls.lingers,
        )
        nursery.start_soon(rounds.run)
        inbox.rounds, desk.on_lasting = rounds, rounds.begin
        nursery.start_soon(_watch_sigterm, stopping)
        inbox.open(desk.take, desk.hear)
        _keep_to(assignment, link.session)
        _go_without(assignment.without, link, desk)
        link.take_here(desk.take_here)
        with stopping.interrupts(trio.CancelScope()):
            with roster.first_loading():
                ready = await load_all(roster, discover(), assignment.external_plugins)
            await _say_ready(link, unstructure(ready))
        await stopping.wait()
        with trio.CancelScope(deadline=(trio.current_time() + stopping.deadline) / 2):
            await reloader.wait_done()  # half an exchange is no state to unload from
        await _unload_all(roster, stopping)
        desk.end()
        stopping.finish()
        await shipper.send_all(LAST_FLUSH)
    return stopping.code


def _go_without(told: list[str], link: Link, desk: Desk) -> None:
    """Those shortcuts that are no features of the connection."""
    link.is_batching = Shortcut.BATCHES not in told
    link.session.is_quick = Shortcut.FRAMES not in told
    desk.is_at_once = Shortcut.HERE not in told
    if Shortcut.THREADS in told:
        keep_no_threads()


def _look_around(desk: Desk, calls: Calls, stopping: Stopping, thread_limit: int) -> None:
    """Once a second: answer for handlers that do not end, and have a runner replaced that has too many of them."""
    desk.look()
    handlers, threads = calls.count_stuck()
    if (handlers + threads > MAX_STUCK or threads >= thread_limit) and not stopping.has_begun:
        text = "%d handlers and %d threads go on although they were cancelled: this runner leaves"
        _log.error(text, handlers, threads)
        stopping.begin(STOP_GRACE, code=RECYCLE)


def _say_started(link: Link, request_id: int) -> None:
    """In the kernel before the handler runs: then the host reads it even when the handler ends this process."""
    link.broadcast(RUNNER_STARTED, unstructure(Started(request_ids=[request_id])))
    link.flush_nowait()


def _task_of(start: Start, answer: HelloAnswer) -> tuple[Assignment, Callable[[], Found]]:
    """What this runner is to do, and how it looks for its plugins, now and at each reload."""
    assignment = answer.assignment
    if assignment is None:
        original = Assignment(shard="", incarnation=0, external_plugins=start.external)
        return original, lambda: find_in_directories(start)
    return assignment, lambda: find_assigned(assignment)


def _keep_to(assignment: Assignment, session: Session) -> None:
    """What the host would not take is the mistake of who would send it."""
    session.max_frame_bytes = min(session.max_frame_bytes, assignment.max_frame_bytes)
    session.max_containers = min(session.max_containers, assignment.max_containers)


async def _say_ready(link: Link, ready: dict[str, object]) -> None:
    try:
        await link.call(RUNNER_READY, ready)
    except RookeryError as error:
        # The plugins are there and the host can call them; whether it wants to is its own affair.
        _log.error("the host did not take runner.ready: %s", error)


async def _watch_sigterm(stopping: Stopping) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            stopping.begin(STOP_GRACE)


async def _unload_all(roster: Roster, stopping: Stopping) -> None:
    """Unload in the reverse order of loading. Each gets its share of the time, and what others left of theirs."""
    while roster.loaded:
        left = max(0.0, stopping.deadline - trio.current_time())
        await roster.take_out(next(reversed(roster.loaded)), grace=left / len(roster.loaded))


@contextlib.asynccontextmanager
async def _captured_output(
    link: Link, start: Start, log_level: int, nursery: trio.Nursery
) -> AsyncIterator[tuple[LogShipper, Callable[[str], None], tuple[PrintStream, PrintStream]]]:
    """Everything that is logged, printed or written goes to the host, with the name of its plugin."""
    shipper = LogShipper()
    shipper.attach(link)
    nursery.start_soon(shipper.run)
    root = logging.getLogger()
    root.handlers[:] = [shipper]
    root.setLevel(log_level)
    streams = PrintStream(1, logging.INFO), PrintStream(2, logging.WARNING)
    FORKS.watch(partial(_speak_for_itself, shipper))
    async with contextlib.AsyncExitStack() as stack:
        raw: RawOutput | None = None
        if start.output_fds is not None:
            raw = await stack.enter_async_context(RawOutput(start.output_fds, _log_raw))
        sys.stdout, sys.stderr = streams

        def on_step_end(plugin_id: str) -> None:
            for stream in streams:
                if stream.lines:
                    stream.end_line(plugin_id)
            if raw is not None:
                raw.take(plugin_id)

        yield shipper, on_step_end, streams
    # Whatever comes from here on is for who reads the pipes when this process is dead.
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _speak_for_itself(shipper: LogShipper) -> None:
    """In a forked child: what it logs and prints goes to the pipes, because the connection is its parent's."""
    shipper.detach()
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    logging.getLogger().handlers[:] = [logging.StreamHandler()]


def _log_raw(plugin_id: str, is_error: bool, line: str) -> None:  # called by position only
    if line:
        logging.getLogger(logger_name_of(plugin_id)).log(
            logging.WARNING if is_error else logging.INFO, "%s", line
        )
