"""Where does a plain function of a plugin's run, so that the loop does not wait for it and each costs little?

In threads that are kept, and that take what is to be done from one queue. What costs is waking: a thread, and the loop when
there is a result. So of threads that wait only one is woken at a time; it takes what is there, and wakes the next one before
it begins when more is there, which so begins when the first one blocks. Results that are there together are delivered by one
wake-up of the loop. ``trio.to_thread.run_sync`` for each call was measured at twice the time alone and eight times at 64.

Each of the threads lives in one call of ``trio.to_thread.run_sync``, so that everything of ``trio.from_thread`` works in it. A
function that is cancelled goes on and its thread is given up with it: that call is cancelled, which the function can see by
``trio.from_thread.check_cancelled``, and another thread takes its place.
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, cast

import trio

from rookery.protocol import RookeryError

from .forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 10.0
"""Seconds after which a thread ends that has nothing to do."""

_NAME = "plugins"


class Places(Protocol):
    """How many may run at once; a ``trio.CapacityLimiter`` is one."""

    def acquire_on_behalf_of_nowait(self, borrower: Any) -> None: ...

    async def acquire_on_behalf_of(self, borrower: Any) -> None: ...

    def release_on_behalf_of(self, borrower: Any) -> None: ...


class _Job:
    """One function that is to run."""

    __slots__ = ("call", "context", "error", "has_place", "places", "task", "value", "worker")

    def __init__(self, call: Callable[[], Any], places: Places) -> None:
        self.call = call
        self.context = contextvars.copy_context()
        self.places = places
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        """Who waits for it; None when nobody does any more."""
        self.worker: _Worker | None = None
        self.has_place = False
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """In a thread."""
        try:
            self.value = self.context.run(self.call)
        except BaseException as error:
            self.error = error
        finally:
            FORKS.end_child()


class _Worker:
    """One thread, and the task that holds it."""

    def __init__(self, pool: WorkerThreads) -> None:
        self._pool = pool
        self._woken = threading.Lock()
        self._woken.acquire()
        self._scope = trio.CancelScope()
        self._runs: _Job | None = None
        self._is_given_up = False

    async def hold(self) -> None:
        """A system task, for as long as there is a thread."""
        pool = self._pool
        try:
            with self._scope:
                await trio.to_thread.run_sync(
                    self._work, abandon_on_cancel=True, limiter=pool.unlimited, thread_name=_NAME
                )
                pool.workers.discard(self)
                pool.find_worker()  # something may have come while it ended
        except RuntimeError as error:  # the system gives no more threads
            pool.workers.discard(self)
            pool.note_no_thread(error)
        finally:
            pool.workers.discard(self)
            self._is_given_up = True
            self.wake()

    def give_up(self, job: _Job) -> None:
        """If it runs this one, which nobody waits for any more: it ends when that has ended."""
        with self._pool.guard:
            self._is_given_up = self._is_given_up or self._runs is job
        if self._is_given_up:
            self._pool.workers.discard(self)
            self._scope.cancel()

    def wake(self) -> None:
        """It waits, or is about to. Once for each time."""
        try:
            self._woken.release()
        except RuntimeError:
            pass  # at the end of the loop: it was awake

    # --- in the thread -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        pool = self._pool
        thread = threading.current_thread()
        while not self._is_given_up:
            try:
                job = pool.jobs.popleft()
            except IndexError:
                if self._park():
                    continue
                return
            pool.wake_another()
            self._runs, job.worker = job, self
            task = job.task
            if task is not None:
                thread.name = task.name
                del task
                job.run()
                thread.name = _NAME
            with pool.guard:  # from here on it is not given up for the sake of this one
                self._runs = None
            pool.finish(job)
            del job

    def _park(self) -> bool:
        """Wait for something to do; False when there was nothing for long."""
        pool = self._pool
        pool.parked.append(self)
        if pool.jobs or self._is_given_up:  # it came before anybody could see that this one waits
            try:
                pool.parked.remove(self)
            except ValueError:
                pass  # somebody has, and wakes it
            else:
                return True
        if not self._woken.acquire(timeout=IDLE):
            try:
                pool.parked.remove(self)
            except ValueError:
                self._woken.acquire()
            else:
                return False
        pool.is_waking = False
        return True


class WorkerThreads:
    """The threads of one run of trio. Attributes are for its workers.

    Each step of what is shared between threads is one that the interpreter does not interrupt, and every flag is set before,
    and cleared after, whatever it speaks of can be seen: whoever finds it set knows that the other one will look again.
    """

    def __init__(self) -> None:
        self.unlimited = trio.CapacityLimiter(math.inf)
        self.jobs: deque[_Job] = deque()
        self.parked: list[_Worker] = []
        self.workers: set[_Worker] = set()
        self.guard = threading.Lock()
        """Around whether a worker still runs a function, which says if it is given up with it."""
        self.is_waking = False
        """One was woken and has not looked yet."""
        self._token = trio.lowlevel.current_trio_token()
        self._open = 0
        """Functions that were begun and whose tasks still wait."""
        self._held = 0
        """Places that are taken, those of functions among them for which nobody waits."""
        self._finished: deque[_Job] = deque()
        self._waiting: deque[_Job] = deque()
        """Those that have no place yet."""
        self._is_delivering = False

    async def run(self, call: Callable[[], Any], places: Places) -> Any:
        """Run a function in a thread, when there is a place.

        Cancelled, it leaves at once; the function then goes on, and keeps its place, until it returns.

        Args:
            places: The borrower that it is given is nobody's business.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        job = _Job(call, places)
        if self._waiting or not self._begin(job):
            if self._held:
                self._waiting.append(
                    job
                )  # no task of its own is woken to take the place that one of these gives back
            else:
                await places.acquire_on_behalf_of(job)  # somebody else has them
                self._hand_out(job)

        def abandon(_: Any) -> trio.lowlevel.Abort:
            job.task = None
            if not job.has_place:
                self._waiting.remove(job)
                return trio.lowlevel.Abort.SUCCEEDED
            self._open -= 1
            if job.worker is not None:
                job.worker.give_up(job)
                self.find_worker()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abandon)
        if job.error is not None:
            try:
                raise job.error
            finally:
                del job, abandon
        return job.value

    def _begin(self, job: _Job) -> bool:
        """Have it run if there is a place."""
        try:
            job.places.acquire_on_behalf_of_nowait(job)
        except trio.WouldBlock:
            return False
        self._hand_out(job)
        return True

    def _hand_out(self, job: _Job) -> None:
        job.has_place = True
        self._held += 1
        self._open += 1
        self.jobs.append(job)
        self.find_worker()

    def find_worker(self) -> None:
        """Have somebody see to it that there is nothing left to do."""
        if self.is_waking or not self.jobs:
            return
        if self.parked:
            self.wake_another()
        elif len(self.workers) < self._open:
            worker = _Worker(self)
            self.workers.add(worker)
            trio.lowlevel.spawn_system_task(worker.hold, name=_NAME)

    def wake_another(self) -> None:
        """When there is something to do and somebody who waits."""
        if self.jobs and not self.is_waking:
            try:
                worker = self.parked.pop()
            except IndexError:
                return
            self.is_waking = True
            worker.wake()

    def finish(self, job: _Job) -> None:
        """In a thread: a function has ended."""
        self._finished.append(job)
        if not self._is_delivering:
            self._is_delivering = True
            try:
                self._token.run_sync_soon(self._deliver)
            except trio.RunFinishedError:
                pass  # the task has long been abandoned

    def note_no_thread(self, error: RuntimeError) -> None:
        """A thread could not be started. Without any, what waits for one would wait for ever."""
        while self.jobs and not self.workers:
            job = self.jobs.popleft()
            job.error = error
            self._settle(job)

    def _deliver(self) -> None:
        self._is_delivering = False
        while self._finished:
            self._settle(self._finished.popleft())

    def _settle(self, job: _Job) -> None:
        job.places.release_on_behalf_of(job)
        self._held -= 1
        if job.task is not None:
            self._open -= 1
            trio.lowlevel.reschedule(job.task)
        while self._waiting:
            following = self._waiting[0]
            try:
                if not self._begin(following):
                    return
            except RookeryError as error:  # it cannot be said that it begins
                following.error = error
                assert following.task is not None
                trio.lowlevel.reschedule(following.task)
            self._waiting.popleft()


_threads: trio.lowlevel.RunVar[WorkerThreads] = trio.lowlevel.RunVar("worker threads")
_keeps_none: trio.lowlevel.RunVar[bool] = trio.lowlevel.RunVar("no worker threads")


def keep_no_threads() -> None:
    """Each function of this run of trio gets a thread by trio's own means. Nothing else changes, which is what tests compare."""
    _keeps_none.set(True)


async def run_in_thread(call: Callable[[], Any], places: Places | None) -> Any:
    """Run a function in one of the threads of this run of trio; see ``WorkerThreads.run``.

    Args:
        places: None for those that trio has for threads.
    """
    places = places or trio.to_thread.current_default_thread_limiter()
    if _keeps_none.get(False):

        def call_here() -> Any:
            try:
                return call()
            finally:
                FORKS.end_child()

        limiter = cast("trio.CapacityLimiter", places)  # trio asks for no more than that
        return await trio.to_thread.run_sync(call_here, abandon_on_cancel=True, limiter=limiter)
    try:
        threads = _threads.get()
    except LookupError:
        threads = WorkerThreads()
        _threads.set(threads)
    return await threads.run(call, places)
