"""What does the host's end of a page survive?"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import struct

import pytest

from rookery.protocol import page as layout
from rookery.supervisor.page import Page, open_page


@pytest.fixture
def page() -> Page:
    made = open_page(8)
    assert made is not None
    yield made  # type: ignore[misc]  # a fixture that closes
    made.close()


def test_what_a_runner_stores_is_read(page: Page) -> None:
    """Through a map of its own, as a runner has it."""
    with mmap.mmap(page.descriptor, layout.page_bytes(8)) as mapped:
        struct.pack_into("=Q", mapped, layout.LOOP_BEATS_AT, 3)
        struct.pack_into("=Q", mapped, layout.STARTED_AT, 44)

    head = page.read_head()
    assert head is not None
    assert head.loop_beats == 3
    assert page.read_started() == {44}


def test_the_descriptor_is_not_inherited_unless_it_is_named(page: Page) -> None:
    """And it is none of the standard three."""
    assert fcntl.fcntl(page.descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert page.descriptor > 2


def test_a_spoiled_page_says_nothing(page: Page) -> None:
    """F6: without the magic nobody knows what had begun; the host is not hurt."""
    os.pwrite(page.descriptor, b"\xff" * 16, 0)

    assert page.read_head() is None
    assert page.read_started() is None


def test_a_page_with_forged_slots_says_nothing(page: Page) -> None:
    """The number of slots is the host's to say."""
    os.pwrite(page.descriptor, struct.pack("=Q", 4), layout.SLOTS_AT)

    assert page.read_started() is None


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no sealed files here")
def test_a_sealed_page_cannot_be_cut_or_grown(page: Page) -> None:
    """A runner that tries is told no."""
    for size in (0, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(page.descriptor, size)


def test_a_file_without_seals_that_was_cut_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there are no sealed files the host still reads without a map."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    page = open_page(8)
    assert page is not None

    os.ftruncate(page.descriptor, 0)

    assert page.read_head() is None
    assert page.read_started() is None
    page.close()
    page.close()


def test_without_a_file_there_is_a_warning_and_no_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """D9: the shard starts all the same."""

    def refuse() -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rookery.supervisor.page._make_file", refuse)

    with caplog.at_level(logging.WARNING):
        assert open_page(8) is None

    assert "a runner that hangs is not noticed" in caplog.text
