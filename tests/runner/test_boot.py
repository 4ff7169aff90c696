"""A runner process sets itself up so that even its own bugs end it in an orderly way."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from rookery.runner import boot

BROKEN = """
from rookery.runner import boot

async def broken(start, sock):
    raise KeyError("a bug of ours")

boot.serve = broken
boot.main()
"""


@pytest.mark.slow
def test_a_bug_of_ours_ends_the_runner_with_70_and_a_traceback() -> None:
    """Nothing supervises what is left of it, and whoever reads the pipe has to know where it broke."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [sys.executable, "-c", BROKEN, "--link-fd", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 70
    assert done.stderr.startswith("rookery.runner: a bug in rookery ended this runner\n")
    assert "KeyError: 'a bug of ours'" in done.stderr


@pytest.mark.slow
def test_a_host_that_died_before_the_lifeline_was_armed_is_noticed() -> None:
    """The kernel tells of the end only once, so it is looked for right after the kernel was asked."""
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    os.close(write)
    with ours, theirs:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "rookery.runner",
                "--link-fd",
                str(theirs.fileno()),
                "--lifeline-fd",
                str(read),
            ],
            pass_fds=(theirs.fileno(), read),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    os.close(read)

    assert done.returncode == 77


@pytest.mark.parametrize("address", ["[::1]:65536", "localhost:", "localhost:x", ":"])
def test_an_address_without_a_port_is_a_wrong_start(address: str) -> None:
    """Before anything is tried."""
    with pytest.raises(boot.BadStart, match="neither a path of a Unix socket nor host:port"):
        boot._connect(address)
