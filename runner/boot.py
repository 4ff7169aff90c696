"""How does a runner process set itself up before the event loop: arguments, descriptors, signals, lifeline?"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import socket
import stat
import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

import trio

from .last_words import say_last_words
from .leave import BAD_START, HOST_LOST, INTERNAL_ERROR, leave_at_once
from .lifeline import arm_lifeline
from .serve import serve
from .standing import step_back
from .start import BadStart, Start, read_start
from .thread_failures import log_thread_failure

if TYPE_CHECKING:
    from types import TracebackType

CONNECT_TIMEOUT = 10.0
"""Seconds to reach an address; the host waits as long for the hello (protocol 1.0.0)."""


def main() -> NoReturn:
    """Run a runner from the process's own arguments and environment, and end the process."""
    try:
        start = read_start(sys.argv[1:], os.environ)
        sock = _open_link(start)
    except BadStart as error:
        _end_with(BAD_START, f"rookery.runner: {error}")
    except OSError as error:
        _end_with(HOST_LOST, f"rookery.runner: cannot reach the host at {start.address!r}: {error.strerror}")
    _prepare_process(start)
    gc.freeze()  # what is here now is no plugin's, and stays: a collection need not look at it
    if not start.has_asyncio:
        raise SystemExit(trio.run(serve, start, sock))
    from .guest import run_as_guest  # a twentieth of a second that other runners do not need

    raise SystemExit(run_as_guest(serve, start, sock))


def _end_with(code: int, message: str) -> NoReturn:
    say_last_words(f"{message}\n")
    leave_at_once(code)


def _open_link(start: Start) -> socket.socket:
    if start.link_fd is None:
        return _connect(start.address)
    if not stat.S_ISSOCK(os.fstat(start.link_fd).st_mode):
        raise BadStart(f"--link-fd {start.link_fd} is not a socket")
    return socket.socket(fileno=start.link_fd)


def _connect(address: str) -> socket.socket:
    """Reach an original host: a path is a Unix socket, otherwise host and port."""
    if "/" in address or address.endswith(".sock"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(CONNECT_TIMEOUT)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadStart(f"the address {address!r:.100} is neither a path of a Unix socket nor host:port")
    return socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT)


def _prepare_process(start: Start) -> None:
    step_back()
    sys.excepthook = _say_bug_and_end
    threading.excepthook = log_thread_failure
    _keep_descriptors_private()
    faulthandler.enable(file=2)
    # How a host, or a person, asks a runner that does not answer where it is: kill -USR1.
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True, chain=False)
    # A Ctrl-C at the terminal is the host's to deal with; it decides what happens to its runners.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if start.lifeline_fd is not None:
        arm_lifeline(start.lifeline_fd)
    if start.link_fd is not None and sys.path and sys.path[0] == os.getcwd():
        # `python -m` put the working directory there: a file of the operator could shadow any plugin's library.
        del sys.path[0]


def _keep_descriptors_private() -> None:
    """Nothing but the standard three is handed on to children of plugins."""
    directory = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for name in os.listdir(directory):
        fd = int(name)
        if fd > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass  # the descriptor that listed the directory


def _say_bug_and_end(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> NoReturn:
    """What reaches the top is a bug of rookery: plugins are called behind borders that let nothing through."""
    text = "".join(traceback.format_exception(kind, error, trace))
    _end_with(INTERNAL_ERROR, f"rookery.runner: a bug in rookery ended this runner\n{text}")
