"""The descriptors between host and runner: who has which, and that none is left."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from rookery.supervisor import channels
from rookery.supervisor.channels import Channels


def test_every_end_has_its_other_end() -> None:
    """The link, the two pipes and the terminal lead where they should; the read ends never block."""
    channels = Channels({"stdout": 1})
    try:
        os.write(channels.stderr, b"err")
        os.write(channels.stdout, b"out")
        channels.socket.send(b"to the child")

        assert os.read(channels.out, 10) == b"out"
        assert os.read(channels.err, 10) == b"err"
        assert os.read(channels.link, 20) == b"to the child"
        with pytest.raises(BlockingIOError):
            os.read(channels.out, 1)
        assert channels.terminal["stdout"] > 2
        assert not any(map(os.get_inheritable, channels.inherited))
    finally:
        channels.close()


def test_the_childs_ends_go_first_and_closing_twice_is_fine() -> None:
    """After that the host sees the end of what the child alone held."""
    channels = Channels({})

    channels.close_child_ends()

    assert os.read(channels.out, 1) == b""
    assert channels.socket.recv(1) == b""
    channels.close()
    channels.close()


@pytest.mark.parametrize("after", range(7))
def test_nothing_is_left_when_descriptors_run_out(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them cannot be had. The check for leaks is the assertion."""
    calls = 0

    def scarce(real):  # type: ignore[no-untyped-def]
        def call(*arguments):  # type: ignore[no-untyped-def]
            nonlocal calls
            calls += 1
            if calls > after:
                raise OSError(errno.EMFILE, "too many open files")
            return real(*arguments)

        return call

    monkeypatch.setattr(socket, "socketpair", scarce(socket.socketpair))
    monkeypatch.setattr(channels.os, "pipe", scarce(os.pipe))
    monkeypatch.setattr(channels.fcntl, "fcntl", scarce(channels.fcntl.fcntl))

    with pytest.raises(OSError, match="too many"):
        Channels({"stdin": 0, "stdout": 1, "x": 0, "y": 0})


def test_low_numbers_are_given_up() -> None:
    """A host that was started without standard descriptors gets their numbers for its own; a child must not."""
    saved = [os.dup(number) for number in (0, 1, 2)]
    try:
        for number in (0, 1, 2):
            os.close(number)
        channels = Channels({})
        numbers = channels.inherited
        channels.close()
    finally:
        for number, copy in enumerate(saved):
            os.dup2(copy, number)
            os.close(copy)

    assert min(numbers) > 2
