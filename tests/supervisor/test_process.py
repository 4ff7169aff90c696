"""How real processes start, die and are made to go."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import trio

from rookery.supervisor import process
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.process import Launch, Process, spawn
from tests.doubles.processes import wait_asleep

pytestmark = pytest.mark.slow

READY = "print('ready', flush=True)"


class Started:
    """A child that has said that it is ready."""

    def __init__(self, program: str, inherited: tuple[int, ...] = ()) -> None:
        self.out, stdout = os.pipe()
        try:
            self.process = spawn(
                Launch(
                    command=(sys.executable, "-S", "-c", f"import os, signal, sys, time\n{program}"),
                    environment=os.environ,
                    stdout=stdout,
                    stderr=2,
                    inherited=inherited,
                )
            )
        except BaseException:
            os.close(self.out)
            raise
        finally:
            os.close(stdout)
        os.set_blocking(self.out, False)

    async def read_line(self) -> str:
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(self.out)
        return os.read(self.out, 1000).decode().strip()

    async def wait_dead(self) -> None:
        with trio.fail_after(10):
            await self.process.wait_dead()

    async def __aenter__(self) -> Started:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.kill()
        with trio.CancelScope(shield=True):
            await self.wait_dead()
        self.process.kill()
        self.process.reap()
        os.close(self.out)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")


def without_waitid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delattr(os, "waitid")


@pytest.fixture(
    params=[
        pytest.param(lambda _: None, id="pidfd"),
        pytest.param(without_pidfd, id="waitid"),
        pytest.param(without_waitid, id="waitpid"),
    ]
)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux of today, one without a free descriptor, and a macOS before Python 3.13."""
    request.param(monkeypatch)


@pytest.mark.usefixtures("system")
async def test_death_is_seen_and_the_status_kept() -> None:
    """The exit code, or minus the signal; a child that lives has none."""
    async with Started(f"{READY}\ntime.sleep(3600)") as child:
        assert await child.read_line() == "ready"
        assert child.process.reap() is None

        os.kill(child.process.pid, signal.SIGKILL)
        await child.wait_dead()

        assert child.process.reap() == -9
    async with Started("sys.exit(7)") as child:
        await child.wait_dead()

        assert child.process.reap() == 7


async def test_death_is_seen_soon() -> None:
    """The pidfd tells within milliseconds; fifty are promised, on a busy machine."""
    delays = []
    for _ in range(5):
        async with Started(f"{READY}\ntime.sleep(3600)") as child:
            await child.read_line()
            before = time.perf_counter()
            os.kill(child.process.pid, signal.SIGKILL)
            await child.wait_dead()
            delays.append(time.perf_counter() - before)

    assert min(delays) < 0.05


@pytest.mark.usefixtures("system")
async def test_the_whole_group_is_swept() -> None:
    """A child of the child that lives on in its group goes with it."""
    program = "pid = os.fork()\nif pid == 0: time.sleep(3600)\nprint(pid, flush=True)\ntime.sleep(3600)"
    async with Started(program) as child:
        grandchild = int(await child.read_line())
        os.kill(child.process.pid, signal.SIGKILL)
        await child.wait_dead()
        child.process.kill()
        child.process.reap()

        with trio.fail_after(5):
            while _runs(grandchild):
                await trio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process is more than a zombie that its new parent has not looked at yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def test_a_child_has_a_session_of_its_own_and_nothing_but_its_descriptors() -> None:
    """^C at the terminal does not reach it, it reads nothing, and it holds only what was named."""
    kept, other = os.open("/dev/null", os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY)
    os.set_inheritable(other, True)
    program = (
        "fds = [n for n in range(200) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "told = [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), os.read(0, 1), *fds]\n"
        "os.write(1, repr(told).encode())\n"
        "time.sleep(3600)"
    )
    try:
        async with Started(program, inherited=(kept,)) as child:
            assert await child.read_line() == f"[True, True, b'', 0, 1, 2, {kept}]"
    finally:
        os.close(kept)
        os.close(other)


async def test_a_stopped_child_can_be_asked_to_leave() -> None:
    """SIGTERM alone would wait for ever for somebody to continue it."""
    async with Started(f"{READY}\ntime.sleep(3600)") as child:
        await child.read_line()
        os.kill(child.process.pid, signal.SIGSTOP)

        child.process.ask_to_leave()
        await child.wait_dead()

        assert child.process.reap() == -15


async def test_no_signal_goes_to_a_number_that_is_no_longer_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the reaping, by us or by somebody else, the number may be another's."""
    sent: list[tuple[int, int]] = []
    async with Started("sys.exit(0)") as child:
        await child.wait_dead()
        os.waitpid(child.process.pid, 0)  # noqa: ASYNC222  # it is dead already
        monkeypatch.setattr(os, "killpg", lambda pid, number: sent.append((pid, number)))

        child.process.kill()
        child.process.reap()
        child.process.ask_to_leave()
        monkeypatch.undo()

    assert sent == []


async def test_a_program_that_is_not_there_is_an_os_error() -> None:
    """And nothing is left of the attempt."""
    null = os.open("/dev/null", os.O_WRONLY)
    try:
        with pytest.raises(FileNotFoundError):
            spawn(
                Launch(command=("/nowhere/python",), environment={}, stdout=null, stderr=null, inherited=())
            )
    finally:
        os.close(null)


def test_importing_needs_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pidfds there is none, and that is fine."""
    monkeypatch.delattr(os, "pidfd_open")

    assert process.open_pidfd(os.getpid()) is None
    assert Process is not None


async def test_stacks_are_asked_for_only_where_they_are_given() -> None:
    """Finding 8: before its handler is there the signal would end the process."""
    async with Started(f"{READY}\ntime.sleep(60)") as child:
        await child.read_line()
        assert not child.process.ask_for_stacks()
        await wait_asleep(child.process.pid)

    program = f"import faulthandler\nfaulthandler.register(signal.SIGUSR1, file=1)\n{READY}\ntime.sleep(60)"
    async with Started(program) as child:
        await child.read_line()
        assert child.process.ask_for_stacks()
        assert "thread 0x" in await child.read_line()


async def test_a_stopped_process_is_seen_and_continued() -> None:
    """C1: by the kernel's word."""
    async with Started(f"{READY}\ntime.sleep(60)") as child:
        await child.read_line()
        os.kill(child.process.pid, signal.SIGSTOP)
        with trio.fail_after(5):
            while child.process.look().state != "T":
                await trio.sleep(0.001)
        child.process.resume()
        with trio.fail_after(5):
            while child.process.look().state != "S":
                await trio.sleep(0.001)

        assert child.process.look().rss > 1_000_000


async def test_what_it_has_used_is_known_afterwards() -> None:
    """And Popen is satisfied: no zombie, no complaint."""
    async with Started("sum(range(5_000_000))") as child:
        await child.wait_dead()
        assert child.process.usage is None

        assert child.process.reap() == 0

        usage = child.process.usage
    assert usage is not None
    assert usage.cpu > 0.01
    assert usage.max_rss > 1_000_000
    assert child.process.look().state == ""
    assert not child.process.ask_for_stacks()


async def test_a_child_makes_no_core_and_opens_only_so_many_descriptors() -> None:
    """D4, D14: set from outside before the interpreter has started."""
    out, stdout = os.pipe()
    program = "import resource as r, time; time.sleep(0.2); "
    program += "print(r.getrlimit(r.RLIMIT_CORE)[0], r.getrlimit(r.RLIMIT_NOFILE)[0])"
    child = spawn(
        Launch(
            command=(sys.executable, "-S", "-c", program),
            environment=os.environ,
            stdout=stdout,
            stderr=2,
            inherited=(),
            limits=ShardLimits(nofile=99),
        )
    )
    os.close(stdout)
    with trio.fail_after(10):
        await child.wait_dead()

    assert child.reap() == 0
    assert os.read(out, 100).split() == [b"0", b"99"]
    os.close(out)
