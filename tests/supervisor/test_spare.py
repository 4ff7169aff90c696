"""Descriptors for a host that has none left."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from rookery.supervisor.spare import COUNT, hold_spare_descriptors


@contextmanager
def no_free_descriptor() -> Iterator[None]:
    """The limit is lowered to what is open; numbers below it that are free are taken."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = os.open(os.devnull, os.O_RDONLY)
    taken = [highest]
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)


def test_what_is_lent_can_be_used_and_comes_back() -> None:
    """D5: two files can be opened while nothing else can, and then again."""
    with hold_spare_descriptors() as spare, no_free_descriptor():
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open"):
                os.open(os.devnull, os.O_RDONLY)
            with spare.lent():
                opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(COUNT)]
                for descriptor in opened:
                    os.close(descriptor)


def test_what_was_taken_by_others_is_missed_quietly() -> None:
    """And is held again when there are some."""
    with hold_spare_descriptors() as spare:
        with no_free_descriptor():
            with spare.lent():
                kept = os.open(os.devnull, os.O_RDONLY)
            less = repr(spare)
            os.close(kept)
        spare.take()

        assert (less, repr(spare)) == ("<SpareDescriptors, 1 held>", "<SpareDescriptors, 2 held>")
