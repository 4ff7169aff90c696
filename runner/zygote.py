"""How does one warm process become many runners, each of them as if it had been started by itself?

A zygote is a runner that stops short of everything that belongs to one runner alone: all is imported, nothing is connected,
no loop and no thread runs, no plugin is known. For each order of the host it forks, which takes some milliseconds where
starting an interpreter takes a hundred and more, and what was imported exists in memory once.

An order names the arguments, the environment and the directory, and brings the descriptors. It forks twice: the process in
between makes itself what the runner is to be, forks the runner, tells its number, and ends. The runner so becomes a child of
the host, which is a subreaper, and the host learns its death and its exit code as of every other child. The number is told
with a pidfd that was opened while the process in between, its parent, had not waited for it: it cannot mean another process.
The host is answered when the process in between has been reaped; from then on the runner is the host's child.

What all its runners share is the layout of their memory and the seed of their hashes. That is why a host has runners forked
only for plugins that it trusts.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from .leave import BAD_START, CLEAN, HOST_LOST, INTERNAL_ERROR, leave_at_once
from .lifeline import tie_to_host
from .shown_process import ShownProcess, find_shown, move_environment
from .warm_up import warm_up

if TYPE_CHECKING:
    from collections.abc import Sequence

ZYGOTE_FLAG = "--zygote"
"""``--zygote ORDERS LIFELINE``: the numbers of the socket on which orders come, and of the host's pipe."""

PRELOAD_VARIABLE = "ROOKERY_PRELOAD"
"""Set by the host: modules to import, with commas between them."""

MAX_ORDER_BYTES = 1 << 18
MAX_DESCRIPTORS = 64


class _NotForked(Exception):
    """The order was not carried out, and nothing is left of it."""


def be_zygote(arguments: Sequence[str]) -> list[str]:
    """Fork a runner for each order, until the host goes. Returns in the runners only, with the arguments of each.

    Args:
        arguments: What follows ``ZYGOTE_FLAG``.
    """
    orders, lifeline = (int(each) for each in arguments[:2])
    tie_to_host(lifeline)
    try:
        zygote = _Zygote(socket.socket(fileno=orders), find_shown())
    except OSError as error:
        sys.stderr.write(f"rookery.runner: there can be no zygote here: {error.strerror or error}\n")
        leave_at_once(BAD_START)
    warm_up()
    _preload(os.environ.pop(PRELOAD_VARIABLE, ""))
    move_environment()
    # What is here now is never garbage. Counting its references would make every runner copy the pages it lies on.
    gc.collect()
    gc.freeze()
    return zygote.work()


def _preload(names: str) -> None:
    """Import what runners are going to import. What is not there is missed by the plugin that wants it, with its name."""
    for name in filter(None, names.split(",")):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


class _Zygote:
    """Takes orders, one after the other.

    Args:
        orders: To the host; each message is one order or one answer.
    """

    def __init__(self, orders: socket.socket, shown: ShownProcess) -> None:
        self._orders = orders
        self._shown = shown
        self._inner, self._of_between = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        """On which the process in between tells which runner it has made."""

    def work(self) -> list[str]:
        """Answer orders. Returns in a runner, with its arguments."""
        self._answer({"ready": True})
        while True:
            try:
                data, descriptors, flags, _ = socket.recv_fds(
                    self._orders, MAX_ORDER_BYTES, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                data = b""
            if not data:
                leave_at_once(HOST_LOST)
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                self._answer({"refused": "the order did not arrive whole"}, close=descriptors)
                continue
            arguments = self._carry_out(json.loads(data), descriptors)
            if arguments is not None:
                return arguments

    def _carry_out(self, order: dict[str, Any], descriptors: list[int]) -> list[str] | None:
        """The arguments, in the new runner; None in the zygote, when it has answered."""
        threads = len(os.listdir("/proc/self/task"))
        if threads != 1:
            self._answer({"refused": f"{threads} threads run"}, close=descriptors)
            return None
        try:
            _take_surroundings(order)
            between = os.fork()
        except OSError as error:
            self._answer({"refused": f"it cannot fork: {error.strerror}"}, close=descriptors)
            return None
        if between == 0:
            return self._be_between(order, descriptors)
        os.waitpid(between, 0)
        try:
            answer, pidfds, _, _ = socket.recv_fds(
                self._inner, MAX_ORDER_BYTES, 1, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            self._answer({"lost": "the process that was to fork the runner died"}, close=descriptors)
        else:
            self._answer(json.loads(answer), pidfds, close=[*pidfds, *descriptors])
        return None

    def _answer(
        self, answer: dict[str, Any], descriptors: Sequence[int] = (), *, close: Sequence[int] = ()
    ) -> None:
        for_host = json.dumps(answer).encode()
        try:
            socket.send_fds(self._orders, [for_host], descriptors)
        except OSError:
            leave_at_once(HOST_LOST)
        for descriptor in close:
            os.close(descriptor)

    # --- between the zygote and the runner ---------------------------------------------------------------------

    def _be_between(self, order: dict[str, Any], descriptors: list[int]) -> list[str]:
        """Fork the runner and end. Returns in the runner."""
        runner = -1
        try:
            report = self._become_what_it_is_to_be(order, descriptors)
            started, says_started = os.pipe()
            runner = os.fork()
        except (OSError, _NotForked) as error:
            self._of_between.send(json.dumps({"refused": str(error)}).encode())
        finally:
            if runner < 0:  # whatever it was, this copy of the zygote must not go on as a zygote
                leave_at_once(INTERNAL_ERROR)
        if runner == 0:
            # A session first: as long as it has none of its own, a signal to its group reaches nobody.
            os.setsid()
            os.write(says_started, b"x")
            for each in (started, says_started, report.detach()):
                os.close(each)
            arguments: list[str] = order["arguments"]
            return arguments
        try:
            os.close(says_started)
            os.read(started, 1)
            self._tell(report, runner)
        finally:
            leave_at_once(CLEAN)

    def _tell(self, report: socket.socket, runner: int) -> None:
        try:
            pidfds = [os.pidfd_open(runner)]
        except OSError:
            pidfds = []  # no free descriptor: the host opens one, or looks from time to time
        socket.send_fds(report, [json.dumps({"pid": runner}).encode()], pidfds)

    def _become_what_it_is_to_be(self, order: dict[str, Any], descriptors: list[int]) -> socket.socket:
        """Everything that the runner gets by being forked. Returns the way back to the zygote."""
        report = self._place_descriptors(descriptors, order["descriptors"])
        self._shown.show(order["shown"], order["environment"])
        return report

    def _place_descriptors(self, given: list[int], wanted: list[int]) -> socket.socket:
        """Put the descriptors where the runner is told that they are, and close all others but standard input."""
        if len(given) != len(wanted):
            raise _NotForked(f"{len(given)} descriptors came, expected {len(wanted)}")
        above = max(wanted) + 1
        report = fcntl.fcntl(self._of_between.fileno(), fcntl.F_DUPFD_CLOEXEC, above)
        copies = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, above) for each in given]
        # They are closed by number below. An object that still had a number would later close what another has there.
        for each in (self._orders, self._inner, self._of_between):
            each.detach()
        self._of_between = socket.socket(fileno=report)
        for copy, number in zip(copies, wanted, strict=True):
            os.dup2(copy, number)
        low = 1
        for keep in sorted({*wanted, report}):
            os.closerange(low, keep)
            low = keep + 1
        os.closerange(low, os.sysconf("SC_OPEN_MAX"))
        return self._of_between


def _take_surroundings(order: dict[str, Any]) -> None:
    """Be in the directory and have the environment that the runner is to have. Not after the fork: it would have every page
    that this touches for itself alone.

    Raises:
        OSError: The directory is gone.
    """
    os.chdir(order["directory"])
    wanted: dict[str, str] = order["environment"]
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    time.tzset()
