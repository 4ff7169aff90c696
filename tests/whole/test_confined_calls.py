"""Which ways around the filter and the rules were thought of, and are closed?

Each of these was open once, or is open where one mechanism stands alone.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rookery.supervisor.profiles import Isolation
from tests.doubles.confined_program import run_confined
from tests.doubles.confinement import need

pytestmark = pytest.mark.slow

CONFINING = [Isolation.CONFINED, Isolation.SANDBOX]

TRY = """
import os, sys
def tried(call):
    try:
        return repr(call())
    except OSError as error:
        return type(error).__name__ if error.errno != 38 else "ENOSYS"
"""


@pytest.mark.parametrize("isolation", CONFINING)
def test_a_pair_of_sockets_sends_to_nobody_else(isolation: Isolation, tmp_path: Path) -> None:
    """A datagram of a pair can be sent to any path, without a connection; the host's control socket has one."""
    need(isolation)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with listener:
        address = str(tmp_path / "s")
        listener.bind(address)
        listener.setblocking(False)
        code = TRY + (
            "import socket\n"
            "def send():\n"
            "    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            f"    return a.sendto(b'out', {address!r})\n"
            "print(tried(send), len(socket.socketpair()))"
        )

        said = run_confined(code, tmp_path, isolation)

        with pytest.raises(BlockingIOError):
            listener.recv(10)
    assert said.split() == [said.split()[0], "2"], said
    assert said.split()[0] in ("PermissionError", "ENOSYS")


@pytest.mark.parametrize("isolation", CONFINING)
@pytest.mark.parametrize("how", ["chmod", "open", "tmpfile", "fchmodat"])
def test_no_file_gets_a_set_uid_bit(how: str, isolation: Isolation, tmp_path: Path) -> None:
    """By none of the calls that give a file its mode; a file without a name is given one later."""
    need(isolation)
    ways = {
        "chmod": "f = os.open('x', os.O_CREAT | os.O_WRONLY, 0o755); os.chmod('x', 0o4755)",
        "fchmodat": "f = os.open('x', os.O_CREAT | os.O_WRONLY, 0o755); os.chmod('x', 0o2755, follow_symlinks=True)",
        "open": "os.umask(0); os.open('x', os.O_CREAT | os.O_WRONLY, 0o4755)",
        "tmpfile": "os.umask(0); f = os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o4755);"
        " os.link(f'/proc/self/fd/{f}', 'x', follow_symlinks=True)",
    }
    code = f"{TRY}\nos.chdir({str(tmp_path)!r})\ntry:\n    {ways[how]}\nexcept OSError as e: print(e)"

    run_confined(code, tmp_path, isolation)

    made = tmp_path / "x"
    assert not made.exists() or not made.stat().st_mode & 0o6000


@pytest.mark.parametrize("isolation", CONFINING)
def test_nobody_is_signalled_by_a_descriptor(isolation: Isolation, tmp_path: Path) -> None:
    """The kernel sends a signal to whoever owns a descriptor, and its owner was whatever number one wrote there."""
    need(isolation)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as victim:
        code = TRY + (
            "import fcntl, signal\n"
            "r, w = os.pipe()\n"
            "def kill():\n"
            f"    fcntl.fcntl(r, fcntl.F_SETOWN, {victim.pid})\n"
            "    fcntl.fcntl(r, fcntl.F_SETSIG, signal.SIGKILL)\n"
            "    fcntl.fcntl(r, fcntl.F_SETFL, fcntl.fcntl(r, fcntl.F_GETFL) | os.O_ASYNC)\n"
            "    os.write(w, b'x')\n"
            "print(tried(kill))"
        )

        said = run_confined(code, tmp_path, isolation)

        assert victim.poll() is None
        victim.send_signal(signal.SIGKILL)
    assert said.strip() == "PermissionError"


@pytest.mark.parametrize("isolation", CONFINING)
def test_no_user_namespace_is_made_in_another(isolation: Isolation, tmp_path: Path) -> None:
    """Not by a runner that may start programs either: in a namespace of its own it would have every capability."""
    need(isolation)
    code = TRY + (
        "import ctypes, subprocess\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0), libc.unshare(0x10000000))\n"
        "print(subprocess.run(['/bin/true']).returncode)"
    )

    said = run_confined(code, tmp_path, isolation, subprocesses=True)

    assert said.split() == ["-1", "-1", "0"]


@pytest.mark.parametrize("isolation", CONFINING)
def test_a_runner_that_may_start_nothing_becomes_nothing_else(isolation: Isolation, tmp_path: Path) -> None:
    """A program in its place would be a way to run one."""
    need(isolation)

    said = run_confined(
        TRY + "print(tried(lambda: os.execv('/bin/echo', ['echo', 'x'])))", tmp_path, isolation
    )

    assert said.strip() == "PermissionError"


@pytest.mark.parametrize("isolation", CONFINING)
def test_a_child_is_ended_by_who_has_started_it(isolation: Isolation, tmp_path: Path) -> None:
    """Where programs may be started."""
    need(isolation)
    code = (
        "import subprocess\n"
        "child = subprocess.Popen(['/bin/sleep', '60'])\n"
        "child.terminate(); print(child.wait())"
    )

    assert run_confined(code, tmp_path, isolation, subprocesses=True).strip() == "-15"


@pytest.mark.parametrize("isolation", CONFINING)
def test_with_the_network_there_are_still_no_sockets_by_a_path(isolation: Isolation, tmp_path: Path) -> None:
    """The container engine and the host itself listen at paths. TCP works."""
    need(isolation)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = TRY + (
            "import socket\n"
            "print(tried(lambda: socket.socket(socket.AF_UNIX)),"
            f" tried(lambda: socket.create_connection(('127.0.0.1', {server.getsockname()[1]})).close()),"
            " tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)),"
            " tried(lambda: socket.socket(40, socket.SOCK_STREAM)))"
        )

        said = run_confined(code, tmp_path, isolation, network=True).split()

    assert said[0] in ("ENOSYS", "PermissionError")
    assert said[1] == "None"
    assert set(said[2:]) <= {"ENOSYS", "PermissionError"}


@pytest.mark.parametrize("isolation", CONFINING)
def test_the_machine_can_be_asked_for_its_size(isolation: Isolation, tmp_path: Path) -> None:
    """Libraries of numbers do so when they are imported."""
    need(isolation)
    code = f"{TRY}\nprint(os.cpu_count() > 0, *(tried(lambda: bool(open(p).read())) for p in sys.argv[1:]))"

    said = run_confined(
        code, tmp_path, isolation, arguments=("/proc/cpuinfo", "/proc/meminfo", "/proc/self/stat")
    )

    assert said.split() == ["True"] * 4


def test_what_others_were_started_with_is_not_read(tmp_path: Path) -> None:
    """Tokens stand in the arguments of programs."""
    need(Isolation.CONFINED)
    code = f"{TRY}\nprint(tried(lambda: open('/proc/{os.getpid()}/cmdline').read()), tried(lambda: os.listdir('/proc')))"

    assert run_confined(code, tmp_path).split() == ["PermissionError", "PermissionError"]


@pytest.mark.parametrize(("own_user", "changes"), [(False, False), (True, True)])
def test_an_owner_of_others_files_changes_nothing_of_them(
    own_user: bool, changes: bool, tmp_path: Path
) -> None:
    """Landlock does not judge modes and times. Where the host's user is the runner's the calls do nothing, and succeed."""
    need(Isolation.CONFINED)
    home = tmp_path / "home"
    home.mkdir()
    theirs = tmp_path / "theirs"
    theirs.write_text("kept")
    theirs.chmod(0o640)
    before = theirs.stat()
    code = f"{TRY}\nprint(tried(lambda: os.chmod({str(theirs)!r}, 0o777)), tried(lambda: os.utime({str(theirs)!r}, (1, 1))))"

    said = run_confined(code, home, own_user=own_user)

    after = theirs.stat()
    assert said.split() == ["None", "None"]
    assert (after.st_mode != before.st_mode, after.st_mtime != before.st_mtime) == (changes, changes)


@pytest.mark.parametrize(("isolation", "said"), [(Isolation.CONFINED, "-1"), (Isolation.SANDBOX, "1")])
def test_names_of_others_files_are_not_watched(isolation: Isolation, said: str, tmp_path: Path) -> None:
    """Landlock does not judge that either; in a sandbox there is nothing of others to be watched."""
    need(isolation)
    code = "import ctypes; libc = ctypes.CDLL(None); print(libc.inotify_add_watch(libc.inotify_init(), b'/usr', 0xFFF))"

    assert run_confined(code, tmp_path, isolation).split() == [said]


@pytest.mark.parametrize("isolation", CONFINING)
def test_no_lease_makes_the_host_wait(isolation: Isolation, tmp_path: Path) -> None:
    """Whoever opens a file with a lease waits until it is given back: three quarters of a minute."""
    need(isolation)
    code = f"{TRY}\nimport fcntl\nf = os.open({sys.executable!r}, os.O_RDONLY)\nprint(tried(lambda: fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_RDLCK)))"

    assert run_confined(code, tmp_path, isolation).split() == ["ENOSYS"]


@pytest.mark.parametrize("isolation", CONFINING)
def test_numbers_of_another_kind_of_program_end_the_process(isolation: Isolation, tmp_path: Path) -> None:
    """Not the thread alone, whose locks nobody would open again."""
    need(isolation)
    if os.uname().machine != "x86_64":
        pytest.skip("only x86_64 has a second kind of numbers")
    code = (
        "import ctypes, threading\n"
        "libc = ctypes.CDLL(None)\n"
        "thread = threading.Thread(target=libc.syscall, args=(ctypes.c_long(0x40000000 | 39),))\n"
        "thread.start()\nthread.join(1)\nprint('lives', thread.is_alive())"
    )

    assert run_confined(code, tmp_path, isolation) == ""
