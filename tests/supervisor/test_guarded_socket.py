"""A runner sends its host a descriptor whose end takes seconds: who waits for it?"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from rookery.supervisor.guarded_socket import GuardedSocket, open_link_pair
from tests.doubles.lingering import open_lingering
from tests.hostile.wire_stage import kernel_refuses

LINGER = 2
"""Seconds for which whoever closes the connection waits, as nobody reads from it."""

AT_ONCE = 0.5


@pytest.fixture
def lingering() -> Iterator[socket.socket]:
    """A connection that is full, whose last owner waits when it closes it."""
    full, peer = open_lingering(LINGER)
    yield full
    peer.close()
    full.close()


def wait_for_closers() -> None:
    for thread in threading.enumerate():
        if thread.name == "closes descriptors":
            thread.join(LINGER + 10)


def guarded_pair() -> tuple[GuardedSocket, socket.socket]:
    ours, theirs = socket.socketpair()
    return GuardedSocket(fileno=ours.detach()), theirs


@pytest.mark.skipif(not kernel_refuses(), reason="before Linux 6.16 a socket cannot refuse descriptors")
def test_the_kernel_refuses_where_it_can() -> None:
    """Then it is the runner's call that fails, and bytes still pass."""
    ours, theirs = open_link_pair()
    with ours, theirs:
        with pytest.raises(OSError, match=os.strerror(errno.EPERM)):
            socket.send_fds(theirs, [b"x"], [0])
        theirs.send(b"hello")

        assert ours.recv(100) == b"hello"


@pytest.mark.slow
def test_to_read_it_waits_without_a_guard(lingering: socket.socket) -> None:
    """What this is about: a read that cannot block does."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(theirs, [b"x"], [lingering.fileno()])
        lingering.close()
        ours.setblocking(False)
        began = time.monotonic()
        ours.recv(100)

        assert time.monotonic() - began > LINGER - AT_ONCE


@pytest.mark.slow
def test_to_read_it_ends_the_connection_at_once(lingering: socket.socket) -> None:
    """Older kernels: a thread waits in the host's place."""
    ours, theirs = guarded_pair()
    with ours, theirs:
        socket.send_fds(theirs, [b"x"], [lingering.fileno()])
        lingering.close()
        ours.setblocking(False)
        began = time.monotonic()
        with pytest.raises(OSError, match="it sent descriptors"):
            ours.recv(100)

        assert time.monotonic() - began < AT_ONCE
    wait_for_closers()


@pytest.mark.slow
def test_what_was_not_read_does_not_hold_up_the_end(lingering: socket.socket) -> None:
    """The socket is closed with the message in it, between others."""
    ours, theirs = guarded_pair()
    with theirs:
        theirs.send(b"before")
        socket.send_fds(theirs, [b"x"], [lingering.fileno()])
        theirs.send(b"after")
        lingering.close()
        began = time.monotonic()
        ours.close()

        assert time.monotonic() - began < AT_ONCE
    wait_for_closers()


def test_bytes_alone_pass_as_ever() -> None:
    """To the end of file, and without anything to read."""
    ours, theirs = guarded_pair()
    with ours:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(10)
        theirs.send(b"hello")
        theirs.close()

        assert [ours.recv(3), ours.recv(10), ours.recv(10)] == [b"hel", b"lo", b""]
    ours.close()
