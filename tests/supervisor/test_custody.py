"""That nothing of a runner outlives it, with real processes; and that nobody else's is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from rookery.supervisor import reaper as reaper_module
from rookery.supervisor.custody import open_custody
from rookery.supervisor.process import Launch
from rookery.supervisor.process_look import children_of, look_at, started_with
from rookery.supervisor.reaper import REMEMBER_EVERY
from rookery.supervisor.run_name import RUN_VARIABLE
from rookery.supervisor.subreaper import is_subreaper
from tests.doubles.processes import wait_asleep, wait_gone
from tests.doubles.wards import DAEMON, HIDE, SLEEP, Ward, custody_in, looks, wait_adopted
from tests.supervisor.test_spare import no_free_descriptor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers"),
]


async def test_a_daemon_dies_with_its_runner_and_is_reaped(tmp_path: Path) -> None:
    """B10: it has left the group and the session, and is a child of the host by now."""
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", "pass"))
        daemon = await ward.read_pid()
        await wait_adopted(daemon)

        assert await ward.bury() == -9

        await wait_gone(daemon)


async def test_a_runner_that_lives_keeps_its_daemon(tmp_path: Path) -> None:
    """What a plugin leaves in the background is its own business as long as its runner is there."""
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", "pass"))
        daemon = await ward.read_pid()
        await wait_adopted(daemon)

        for _ in range(REMEMBER_EVERY + 1):
            assert not looks(custody).look()

        await wait_asleep(daemon)
        await ward.bury()
        await wait_gone(daemon)


async def test_a_daemon_that_carries_no_name_is_known_by_its_descent(tmp_path: Path) -> None:
    """It was seen below its runner before it came loose."""
    program = f"end = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    {HIDE.format('time.sleep(3600)')}\n{SLEEP}"
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, program)
        daemon = await ward.read_pid()
        for _ in range(REMEMBER_EVERY):
            looks(custody).look()
        named = started_with(daemon, RUN_VARIABLE)

        await ward.bury()

        await wait_gone(daemon)
    assert named == ""


async def test_what_a_daemon_has_started_goes_too(tmp_path: Path) -> None:
    """Another session below it, and a name that was thrown away."""
    hidden = f"if os.fork() == 0:\n            os.setsid()\n            {HIDE.format('time.sleep(3600)')}"
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", hidden))
        one, other = await _read_two(ward)
        await wait_adopted(one, other)  # the daemon; no number tells which one it is

        await ward.bury()

        await wait_gone(one)
        await wait_gone(other)


async def test_what_the_kernels_list_has_missed_is_reaped_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of children that was read before a daemon's end has not what the daemon leaves. Its name is gone, too."""
    hidden = f"if os.fork() == 0:\n            os.setsid()\n            {HIDE.format('time.sleep(3600)')}"
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", hidden))
        one, other = await _read_two(ward)
        await wait_adopted(one, other)
        (daemon,) = {one, other} & set(children_of(os.getpid()))

        def too_early(pid: int) -> list[int]:
            is_there = bool(look_at(daemon).state)
            return [
                each for each in children_of(pid) if not (is_there and pid == os.getpid() and each != daemon)
            ]

        monkeypatch.setattr(reaper_module, "children_of", too_early)

        await ward.bury()

        await wait_gone(one)
        await wait_gone(other)


async def _read_two(ward: Ward) -> tuple[int, int]:
    numbers: list[int] = []
    with trio.fail_after(10):
        while len(numbers) < 2:
            await trio.lowlevel.wait_readable(ward.out)
            numbers += map(int, os.read(ward.out, 100).split())
    return numbers[0], numbers[1]


async def test_a_stopped_daemon_dies(tmp_path: Path) -> None:
    """SIGKILL does not need it to run."""
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", "pass"))
        daemon = await ward.read_pid()
        os.kill(daemon, signal.SIGSTOP)
        await wait_adopted(daemon)

        await ward.bury()

        await wait_gone(daemon)


async def test_a_forked_copy_in_the_group_is_reaped(tmp_path: Path) -> None:
    """B9: it is killed with the group, and it is the host's to reap since it is the host's child."""
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, f"pid = os.fork()\nif pid == 0: {SLEEP}\nprint(pid, flush=True)\n{SLEEP}")
        copy = await ward.read_pid()

        await ward.bury()

        await wait_gone(copy)


async def test_what_two_looks_in_a_row_have_missed_is_reaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look of the burial and the one after it: the list misses some while others end, and the dead have no name."""
    missed = []

    def misses_two(pid: int) -> list[int]:
        children = children_of(pid)
        if pid != os.getpid() or copy not in children or len(missed) == 2:
            return children
        missed.append(copy)
        return [child for child in children if child != copy]

    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, f"pid = os.fork()\nif pid == 0: {SLEEP}\nprint(pid, flush=True)\n{SLEEP}")
        copy = await ward.read_pid()
        monkeypatch.setattr(reaper_module, "children_of", misses_two)
        await ward.bury()
        await wait_gone(copy)
        assert len(missed) == 2


async def test_a_background_job_that_ends_leaves_no_zombie(tmp_path: Path) -> None:
    """While its runner lives: whose parent has gone is the host's to reap."""
    program = f"if os.fork() == 0:\n    if os.fork() == 0:\n        print(os.getpid(), flush=True)\n        sys.stdin.read()\n    os._exit(0)\nos.wait()\n{SLEEP}"
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, program)
        job = await ward.read_pid()

        await wait_gone(job)

        await wait_asleep(ward.process.pid)
        await ward.bury()


async def test_the_embedders_children_are_its_own(tmp_path: Path) -> None:
    """Living and dead ones, with a session of their own and without: their status is for who has started them."""
    async with custody_in(tmp_path) as custody:
        sleeper = subprocess.Popen(["/bin/sleep", "3600"])
        apart = subprocess.Popen(["/bin/sleep", "3600"], start_new_session=True)
        dead = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # it ends at once
        ward = Ward(custody, SLEEP)
        for _ in range(2 * REMEMBER_EVERY):
            looks(custody).look()
        await ward.bury()
    with sleeper, apart, dead:
        codes = [child.poll() for child in (sleeper, apart, dead)]
        sleeper.kill()
        apart.kill()

    assert codes == [None, None, 7]


async def test_a_daemon_that_ends_unseen_leaves_no_zombie(tmp_path: Path) -> None:
    """Dead before anybody has looked it names no runner. Its session tells that it was adopted, which no child of the embedder's was."""
    async with open_custody(tmp_path) as custody:
        apart = subprocess.Popen(["/bin/sh", "-c", "exit 7"], start_new_session=True)
        ward = Ward(custody, DAEMON.replace("BODY", "print(os.getpid(), flush=True); os._exit(0)"))
        daemon = await ward.read_pid()
        await wait_adopted(daemon)
        for each in (daemon, apart.pid):
            os.waitid(os.P_PID, each, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # it ends at once

        looks(custody).look()

        states = [look_at(each).state for each in (daemon, apart.pid)]
        await ward.bury()
    with apart:
        assert states == ["", "Z"]
        assert apart.wait() == 7


async def test_a_stranger_is_reaped_by_a_host_that_owns_its_process(tmp_path: Path) -> None:
    """G4: as process 1 of a container it inherits whatever ends there; it waits a moment, as somebody may want it."""
    async with open_custody(tmp_path, owns_process=True) as custody:
        stranger = os.spawnv(os.P_NOWAIT, "/bin/true", ["/bin/true"])
        os.waitid(os.P_PID, stranger, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # it ends at once
        looks(custody).look()
        after_one = look_at(stranger).state

        looks(custody).look()

        assert (after_one, look_at(stranger).state) == ("Z", "")


async def test_a_daemon_that_hides_ends_with_its_host(tmp_path: Path) -> None:
    """I1: nobody has seen where it comes from. A host that owns its process ends it all the same."""
    hidden = HIDE.format("time.sleep(3600)")
    async with open_custody(tmp_path, owns_process=True) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", hidden))
        daemon = await ward.read_pid()
        await wait_adopted(daemon)
        looks(custody).look()
        await ward.bury()
        looks(custody).look()
        await wait_asleep(daemon)

    assert look_at(daemon).state == ""


async def test_nothing_is_left_at_the_end_of_the_host(tmp_path: Path) -> None:
    """Also of a runner that nobody has swept, and nobody looked."""
    async with open_custody(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", "pass"))
        daemon = await ward.read_pid()
        await wait_adopted(daemon)
        ward.process.kill()
        await ward.process.wait_dead()
        ward.process.reap()
        os.close(ward.out)

    assert look_at(daemon).state == ""
    assert not is_subreaper()
    assert list(tmp_path.iterdir()) == []


async def test_a_runner_is_on_record_until_it_is_reaped(tmp_path: Path) -> None:
    """I23: one file, with its name; and its own processes carry that name."""
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, f"print(os.getpid(), flush=True)\n{SLEEP}", run="games.3")
        pid = await ward.read_pid()
        during = [path.name for path in tmp_path.glob("runs/*/*")]
        cookie = started_with(pid, RUN_VARIABLE)

        await ward.bury()

        assert during == ["games.3"]
        assert cookie == custody.names.cookie_of("games.3")
        assert list(tmp_path.glob("runs/*/*")) == []


async def test_no_descriptor_is_an_error_with_nothing_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """D5, T4: the spare ones serve for saying so. The check for leaks is the assertion."""
    async with custody_in(tmp_path) as custody:
        with no_free_descriptor(), pytest.raises(OSError, match="Too many open"):
            custody.spawn(
                Launch(command=("true",), environment={}, stdout=1, stderr=2, inherited=(), run="a.1")
            )

        ward = Ward(custody, SLEEP)
        assert await ward.bury() == -9
    assert "no runner can be started" in caplog.text


async def test_a_daemon_is_found_without_a_free_descriptor(tmp_path: Path) -> None:
    """D5: what is to be ended is ended then as well."""
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, DAEMON.replace("BODY", "pass"))
        daemon = await ward.read_pid()
        await wait_adopted(daemon)
        ward.process.kill()
        await ward.process.wait_dead()

        with no_free_descriptor():
            ward.process.sweep()
            ward.process.reap()

        os.close(ward.out)
        await wait_gone(daemon)


async def test_where_nothing_is_adopted_runners_run_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says what is not there."""

    def refuse() -> None:
        raise OSError(22, "not on this system")

    monkeypatch.setattr(reaper_module, "be_subreaper", refuse)
    async with custody_in(tmp_path) as custody:
        ward = Ward(custody, SLEEP)
        assert await ward.bury() == -9

    assert custody.means["adoption"] == "off"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_two_hosts_in_one_process_keep_to_their_own(tmp_path: Path) -> None:
    """With shards of the same name."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with custody_in(tmp_path / "a") as one, custody_in(tmp_path / "b") as other:
        wards = [Ward(custody, DAEMON.replace("BODY", "pass")) for custody in (one, other)]
        daemons = [await ward.read_pid() for ward in wards]
        for daemon in daemons:
            await wait_adopted(daemon)
        await wards[0].bury()
        await wait_gone(daemons[0])
        for _ in range(REMEMBER_EVERY):
            looks(one).look()

        await wait_asleep(daemons[1])
        await wards[1].bury()
        await wait_gone(daemons[1])
