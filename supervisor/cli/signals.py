"""What do Ctrl-C, SIGTERM and Ctrl-Z mean: the first asks for an orderly stop, the second for the end at once, and
Ctrl-Z stops the host and the runner that reads the terminal, until the shell continues both."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

import trio

from ..host_log import SHOWN

if TYPE_CHECKING:
    from ..shard import Shard
    from ..supervisor import Supervisor

logger = logging.getLogger(__name__)


class StopRequests:
    """How often the user has asked for the end.

    Attributes:
        asked: Set by the first signal.
        forced_by: The second signal; ``None`` before it.
    """

    def __init__(self) -> None:
        self.asked = trio.Event()
        self.forced_by: int | None = None
        self._supervisor: Supervisor | None = None

    def attach(self, supervisor: Supervisor) -> None:
        """Say what a second signal kills; it may have come already."""
        self._supervisor = supervisor
        if self.forced_by is not None:
            supervisor.request_stop(force=True)

    def exit_code(self, code: int) -> int:
        """The exit code of a command that would end with ``code`` had nobody lost patience."""
        return code if self.forced_by is None else 128 + self.forced_by

    async def watch(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take signals until cancelled."""
        with trio.open_signal_receiver(*_signals()) as received:
            task_status.started()
            async for number in received:
                if number == signal.SIGTSTP:
                    self._pause()
                elif number == signal.SIGCONT:
                    self._go_on()
                else:
                    self._take(number)

    def _pause(self) -> None:
        # A runner has a session of its own: the terminal does not stop it, and it would go on reading what is typed
        # for the shell. A runner that is stopped for a while is not felt; the host stands still too.
        if os.getpid() == 1:
            return  # in a container: no signal of its own stops it, and no shell would continue it
        for shard in self._terminal_readers():
            shard.is_paused = True  # it is no hang, also while the host goes on in the background
            _signal_runner(shard, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)  # returns when somebody continues us

    def _go_on(self) -> None:
        if _is_in_foreground():  # after `bg` the terminal is still the shell's
            for shard in self._terminal_readers():
                _signal_runner(shard, signal.SIGCONT)
                shard.is_paused = False

    def _terminal_readers(self) -> list[Shard]:
        shards = self._supervisor.shards.values() if self._supervisor is not None else ()
        return [shard for shard in shards if shard.settings.terminal]

    def _take(self, number: int) -> None:
        if not self.asked.is_set():
            logger.info("draining; press Ctrl-C again to force", extra=SHOWN)
            self.asked.set()
        elif self.forced_by is None:
            logger.warning("stopping at once: what is still open is lost")
            self.forced_by = number
            if self._supervisor is not None:
                self._supervisor.request_stop(force=True)


def _signal_runner(shard: Shard, number: signal.Signals) -> None:
    # A shard has a pid for as long as its runner is not reaped: the number is nobody else's.
    if shard.pid is not None:
        os.kill(shard.pid, number)


def _is_in_foreground() -> bool:
    """Whether what is typed at the terminal is for us; True without a terminal."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True


def _signals() -> list[signal.Signals]:
    found = [signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGCONT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to survive the terminal
        found.append(signal.SIGHUP)
    return found
