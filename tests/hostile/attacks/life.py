"""Can a plugin live longer than it should: ignore its end, leave its group, hold on to what the host waits for?

What it leaves behind when the host itself is killed is tried at the end, in a host of its own: see ``survivors`` there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .kernel_calls import LIBC
from .row import Stage, Stopped, attack

REPLACED = "nothing of the host's waits for a runner's leave: it is asked, then killed, and its death is proved by a pidfd"


@attack(".", "-", "-", "-", REPLACED, restart=9.0)
def ignore_being_asked(stage: Stage) -> str:
    """SIGTERM and whatever else can be ignored."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        LIBC.signal(int(number), 1)  # SIG_IGN, past the interpreter, which allows it in its main thread only
    raise Stopped("it ignores everything; whether it can be ended is the host's to say")


@attack(
    ".",
    "L",
    "L",
    "L",
    "who is stopped is told to go on once, and then killed",
    dies=True,
    restart=9.0,
    seconds=20,
)
def stop_itself(stage: Stage) -> str:
    """A process that takes up a seat and does nothing."""
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(0.01)


@attack(".", "L", "L", "L", REPLACED, dies=True, restart=9.0, seconds=15)
def close_everything(stage: Stage) -> str:
    """The connection to the host, the lifeline, the output: as a home-made daemon does."""
    os.closerange(3, 1024)
    time.sleep(10)
    return "it lives on without a connection"


@attack(".", "L", "L", "L", REPLACED, dies=True, restart=9.0, seconds=15)
def hold_the_interpreter(stage: Stage) -> str:
    """No thread of it runs any more, the one that hears the host among them."""
    import re

    re.match("(a+)+$", "a" * 40 + "b")
    return "it came to an end"


@attack(
    ".",
    "-",
    "-",
    "-",
    "a child that holds what the host reads from proves nothing, and is ended with its runner",
    restart=9.0,
)
def leave_a_child_with_the_pipes(stage: Stage) -> str:
    """A daemon that has the connection and the output open when its runner ends."""
    daemonize(stage, lambda: time.sleep(30))
    raise Stopped("left behind; whether the host waits for it is the host's to say")


@attack(".", "-", "-", "-", REPLACED, restart=9.0)
def refuse_to_unload(stage: Stage) -> str:
    """Threads that are not done when the interpreter is, and an exit that hangs."""
    import atexit
    import threading

    atexit.register(time.sleep, 3600)
    threading.Thread(target=time.sleep, args=(3600,)).start()
    raise Stopped("its exit hangs; whether it can be ended is the host's to say")


def daemonize(stage: Stage, work: Callable[[], object]) -> None:
    """As the books say that it is done: two forks and a session of its own.

    Raises:
        OSError: There can be no child.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    LIBC.prctl(15, stage["nonce"][:15].encode(), 0, 0, 0)  # its name
    work()
    os._exit(0)


def _close_all() -> None:
    os.closerange(0, 1024)
    time.sleep(60)


def _change_program(nonce: str) -> None:
    os.execve(
        sys.executable, [sys.executable, "-I", "-S", "-c", f"import time; time.sleep(60)  # {nonce}"], {}
    )


def survive(stage: Stage) -> list[str]:
    """Start everything that might outlive a host that is killed; the names of what could be started."""
    nonce = stage["nonce"]
    ways: dict[str, Callable[[], object]] = {
        "daemon": lambda: daemonize(stage, lambda: time.sleep(60)),
        "closed": lambda: daemonize(stage, _close_all),
        "renamed": lambda: daemonize(stage, lambda: _change_program(nonce)),
        "session": lambda: subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", f"import time; time.sleep(60)  # {nonce}"],
            start_new_session=True,
        ),
        "disarmed": lambda: _disarm(),
    }
    started = []
    for name, start in ways.items():
        try:
            start()
        except OSError:
            continue
        started.append(name)
    return started


def _disarm() -> None:
    """The runner itself: take the lifeline's owner away, and leave the group that it would end."""
    import fcntl

    for path in Path("/proc/self/fd").iterdir():
        try:
            fcntl.fcntl(int(path.name), fcntl.F_SETOWN, 0)
        except OSError:
            continue
