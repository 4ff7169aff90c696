"""An order to a zygote is carried out, refused with nothing left of it, or lost with the zygote."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import attrs
import pytest
import trio

from rookery.supervisor import zygote_keeper as keeper_module
from rookery.supervisor.birth import RUNNER_COMMAND
from rookery.supervisor.custody import Custody, open_custody
from rookery.supervisor.process import Launch, Process
from rookery.supervisor.process_look import children_of, look_at
from rookery.supervisor.run_name import RUN_VARIABLE
from rookery.supervisor.zygote import NoZygote, Order
from rookery.supervisor.zygote_keeper import ZygoteKeeper

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only"),
]


@asynccontextmanager
async def custody_with_zygote(state_dir: Path) -> AsyncIterator[tuple[Custody, ZygoteKeeper]]:
    """Its zygote is warm."""
    async with open_custody(state_dir, forks=RUNNER_COMMAND) as custody, trio.open_nursery() as nursery:
        nursery.start_soon(custody.run)
        keeper = custody.keeper
        assert keeper is not None
        with trio.fail_after(30):
            while keeper.pid is None:
                await trio.sleep(0.01)  # a real process on the real clock
        yield custody, keeper
        nursery.cancel_scope.cancel()


@contextmanager
def output() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def a_launch(stdout: int, **more: object) -> Launch:
    """Of a runner with arguments that it does not take: it says so and ends with 78."""
    launch = Launch(
        command=(*RUNNER_COMMAND, "--nonsense"),
        environment=dict(os.environ),
        stdout=stdout,
        stderr=stdout,
        inherited=(),
        may_be_forked=True,
        run="test.1",
    )
    return attrs.evolve(launch, **more)


async def start(custody: Custody, launch: Launch) -> Process:
    made = custody.start(launch)
    return made if isinstance(made, Process) else await made


async def end_of(process: Process) -> int | None:
    with trio.fail_after(30):
        await process.wait_dead()
    process.sweep()
    return process.reap()


async def test_a_forked_child_says_and_ends_what_it_wants(tmp_path: Path) -> None:
    """Its words come by the descriptors that it was given, its exit code and its usage by the one reaping."""
    with output() as (read_end, write_end):
        async with custody_with_zygote(tmp_path) as (custody, keeper):
            process = await start(custody, a_launch(write_end))
            assert await end_of(process) == 78
            assert process.usage is not None
            assert process.usage.max_rss > 1_000_000
            assert keeper.number_of_forks == 1

        assert b"unrecognized arguments: --nonsense" in os.read(read_end, 65_536)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"PYTHONHASHSEED": "7"}, "PYTHONHASHSEED is not what it was", id="another interpreter"),
        pytest.param(
            {f"LONG_{number}": "x" * 50_000 for number in range(8)},
            "the order (cannot be sent|did not arrive whole)",
            id="more than a message holds",
        ),
    ],
)
async def test_an_order_that_cannot_be_carried_out_is_refused(
    tmp_path: Path, changed: dict[str, str], why: str
) -> None:
    """The zygote lives on, and the launch becomes a spawn."""
    with output() as (read_end, write_end):
        async with custody_with_zygote(tmp_path) as (custody, keeper):
            before = keeper.pid
            order = Order(
                arguments=("--nonsense",),
                shown=(),
                environment={**os.environ, **changed},
                descriptors={1: write_end, 2: write_end},
            )

            with pytest.raises(NoZygote, match=why):
                await keeper.fork(order)
            process = await start(custody, a_launch(write_end, environment={**os.environ, **changed}))
            code = await end_of(process)

            assert keeper.pid == before
            assert code == 78
        os.read(read_end, 65_536)


async def test_from_a_directory_that_is_gone_a_runner_is_spawned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host may stand in a directory without a name: an order cannot tell it."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with output() as (read_end, write_end):
        async with custody_with_zygote(tmp_path) as (custody, keeper):
            before = keeper.pid
            gone.rmdir()

            code = await end_of(await start(custody, a_launch(write_end)))

            assert (code, keeper.pid) == (78, before)
        os.read(read_end, 65_536)


async def test_what_is_being_forked_is_not_taken_for_a_strangers(tmp_path: Path) -> None:
    """Until the host knows of it, a runner is a child that carries a name of no family: then it would be killed."""
    program = (sys.executable, "-S", "-c", "import time; time.sleep(3600)")
    async with custody_with_zygote(tmp_path) as (custody, _):
        assert custody.reaper is not None
        with custody.reaper.leaving_the_young_alone():
            cookie = custody.names.cookie_of("test.1")
            pid = os.posix_spawn(program[0], program, {RUN_VARIABLE: cookie})
            for _ in range(3):
                custody.reaper.look()
                await trio.sleep(0.01)  # the kernel's time to carry out a kill, if there was one
            lived = look_at(pid).state not in ("", "Z")
        with trio.fail_after(10):
            while pid in children_of(os.getpid()):
                custody.reaper.look()
                await trio.sleep(0.01)  # a real process on the real clock

    assert lived


async def test_each_death_puts_the_next_zygote_off_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that dies at once must not keep the machine busy."""
    monkeypatch.setattr(keeper_module, "BACKOFF", (0.01, 0.03))
    async with custody_with_zygote(tmp_path) as (_, keeper):
        for _ in range(4):
            pid = keeper.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with trio.fail_after(30):
                while keeper.pid in (None, pid):
                    await trio.sleep(0.01)  # a real process on the real clock

    delays = [record.getMessage().rpartition("in ")[2] for record in caplog.records]
    assert delays == ["0.01 s", "0.02 s", "0.03 s", "0.03 s"]


async def test_where_none_can_be_made_every_runner_is_spawned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that is no runner never becomes warm; it is said once for each attempt, with its last words."""
    command = (sys.executable, "-S", "-c", "import sys; sys.exit('no such thing')")
    async with open_custody(tmp_path, forks=command) as custody, trio.open_nursery() as nursery:
        nursery.start_soon(custody.run)
        with output() as (_, write_end):
            process = await start(custody, a_launch(write_end, command=(*command, "--nonsense")))
            code = await end_of(process)
        means = custody.means["zygote"]
        nursery.cancel_scope.cancel()

    assert code == 1
    assert means.startswith("none: the zygote (pid ")
    assert "ended with code 1: no such thing; runners are spawned" in caplog.records[0].getMessage()
