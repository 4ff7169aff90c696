"""Whose orphans come here."""

from __future__ import annotations

import sys

import pytest

from rookery.supervisor import subreaper
from rookery.supervisor.subreaper import be_subreaper, is_subreaper

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")


@linux
def test_the_flag_is_as_it_was_before() -> None:
    """An embedder that does not adopt does not either afterwards."""
    before = is_subreaper()

    with be_subreaper():
        inside = is_subreaper()

    assert (before, inside, is_subreaper()) == (False, True, False)


@linux
def test_two_hosts_in_one_process_do_not_undo_each_other() -> None:
    """Whichever ends first."""
    first, second = be_subreaper(), be_subreaper()
    first.__enter__()
    second.__enter__()

    first.__exit__(None, None, None)
    between = is_subreaper()
    second.__exit__(None, None, None)

    assert (between, is_subreaper()) == (True, False)


@linux
def test_an_embedder_that_adopts_goes_on_doing_so() -> None:
    """The flag was set before, and so it stays."""
    subreaper._set(1)
    try:
        with be_subreaper():
            pass

        assert is_subreaper()
    finally:
        subreaper._set(0)


def test_another_system_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an OSError, by which the tier is switched off."""
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(OSError, match="only Linux"), be_subreaper():
        pass
