"""How is a runner handled that lives in namespaces of its own, behind a process that made them?

What the host has started is bubblewrap, which stays outside and waits. Its end is the end of everything inside: the kernel kills
a process namespace as a whole, but it takes its time. So reaping goes by bubblewrap, and death is proved when the runner is dead
too. What is meant for the runner alone (to leave in order, to write its stacks, to go on, how large it is) goes to the runner,
whose number outside is found below it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import trio

from .process import Process, open_pidfd
from .process_look import UNKNOWN, ProcessLook, catches, children_of, glance_at, look_at, start_time

OF_SIGNALS = 128
"""What bubblewrap adds to the number of the signal that ended the runner, for an exit code of its own."""


class Boxed(Process):
    """Such a runner from its start to its reaping."""

    _inner: tuple[int, int] | None = None
    """Its number outside, and the tick in which it started."""
    _inner_pidfd: int | None = None

    @property
    def runner_pid(self) -> int:
        """As the host counts; that of bubblewrap while there is no runner yet."""
        found = self._find()
        return self.pid if found is None else found

    async def wait_dead(self) -> None:
        """As of any other, and of the runner too: until then it may still begin what it was sent."""
        await super().wait_dead()
        if self._inner_pidfd is not None:
            await trio.lowlevel.wait_readable(self._inner_pidfd)

    def kill(self) -> None:
        self._find()  # who is in it: those are nobody's children when it is dead
        if self._inner_pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._inner_pidfd, signal.SIGKILL)
        super().kill()

    def ask_to_leave(self) -> None:
        """SIGTERM to the runner, or to what is in its place while it starts. Bubblewrap would take it for its own end."""
        for number in (signal.SIGTERM, signal.SIGCONT):
            self._signal_runner(number)

    def ask_for_stacks(self) -> bool:
        found = self._find()
        if found is None or not catches(found, signal.SIGUSR1):
            return False
        return self._signal_runner(signal.SIGUSR1)

    def resume(self) -> None:
        super().resume()
        self._signal_runner(signal.SIGCONT)

    def look(self) -> ProcessLook:
        found = self._find()
        return UNKNOWN if found is None else look_at(found)

    def glance(self) -> ProcessLook:
        found = self._find()
        return UNKNOWN if found is None else glance_at(found)

    def _heads(self) -> list[int]:
        """Without bubblewrap, and without the first process of the namespace, which is the parent of all that lost theirs."""
        return [pid for first in children_of(self.pid) for pid in children_of(first)]

    def reap(self) -> int | None:
        status = super().reap()
        return OF_SIGNALS - status if status is not None and status > OF_SIGNALS else status

    def _close_pidfd(self) -> None:
        super()._close_pidfd()
        if self._inner_pidfd is not None:
            os.close(self._inner_pidfd)
            self._inner_pidfd = None

    def _signal_runner(self, number: signal.Signals) -> bool:
        found = self._find()
        if found is None:
            if number is signal.SIGTERM:
                super().ask_to_leave()
            return False
        try:
            os.kill(found, number)
        except ProcessLookupError:
            return False
        return True

    def _find(self) -> int | None:
        """Below bubblewrap is the first process of the namespace, which reaps, and below that the runner is the oldest."""
        if self._inner is not None:
            pid, started = self._inner
            return pid if self._is_ours() and start_time(pid) == started else None
        if not self._is_ours():
            return None
        for first in children_of(self.pid):
            if self._remains is not None:
                self._remains.remember(first)
            ages = {pid: start_time(pid) for pid in children_of(first)}
            known = {pid: started for pid, started in ages.items() if started is not None}
            if known:
                pid = min(known, key=lambda each: (known[each], each))
                self._inner = pid, known[pid]
                self._inner_pidfd = open_pidfd(pid)
                return pid
        return None
