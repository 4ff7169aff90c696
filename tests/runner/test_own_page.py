"""What the runner writes stands where the host looks, and a page that is none costs nothing but the page."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from rookery.protocol.page import Crumb, Phase, new_page, pack_crumb, page_bytes, parse_head, parse_started
from rookery.runner.page import OwnPage, open_own_page


@pytest.fixture
def shared() -> Iterator[int]:
    """The host's descriptor of a page with three slots."""
    descriptor = os.memfd_create("page")
    os.write(descriptor, new_page(3))
    yield descriptor
    os.close(descriptor)


def _read(descriptor: int) -> bytes:
    return os.pread(descriptor, page_bytes(3), 0)


def _opened(descriptor: int) -> OwnPage:
    return open_own_page(os.dup(descriptor))


def test_every_field_is_where_the_layout_says(shared: int) -> None:
    """By the protocol's own reader."""
    page = _opened(shared)
    page.beat_thread(1)
    page.beat_loop()
    page.beat_thread(2)
    page.note_running(0.0)
    page.note_taken(7)
    page.note_crumb(pack_crumb(Phase.CALL, 2, 9))
    head = parse_head(_read(shared))

    assert head is not None
    assert (head.loop_beats, head.thread_beats, head.read, head.pid) == (1, 3, 7, os.getpid())
    assert head.turns == 2
    assert head.crumb == Crumb(phase=Phase.CALL, plugin=2, request_id=9)


def test_a_loop_that_waits_has_an_odd_number_and_another_one_each_time(shared: int) -> None:
    """So one look tells whether it waits, and two whether it has waited for all the time between."""
    page = _opened(shared)
    numbers = []
    for note in (page.note_waiting, page.note_running) * 3:
        note(0.0)
        head = parse_head(_read(shared))
        assert head is not None
        numbers.append(head.turns)

    assert [number % 2 for number in numbers] == [1, 0] * 3
    assert len(set(numbers)) == 6
    assert 0 not in numbers


def test_a_slot_that_was_given_back_is_used_after_all_others(shared: int) -> None:
    """So an id stays for as long as it can be asked for."""
    page = _opened(shared)
    slots = []
    for request_id in (1, 2, 3, 4):
        slot = page.begin(request_id)
        assert slot is not None
        slots.append(slot)
        page.end(slot)

    assert parse_started(_read(shared)) == {2, 3, 4}
    assert slots[0] == slots[3]


def test_two_thirds_of_the_slots_are_kept_for_what_was_answered(shared: int) -> None:
    """An id must stay until its answer is in the kernel; without a slot the caller has to say it otherwise."""
    page = _opened(shared)

    assert [page.begin(number) is not None for number in (1, 2)] == [True, False]


def test_a_slot_moves_along_with_what_begins_in_turn(shared: int) -> None:
    """Only the last of them stands there."""
    page = _opened(shared)
    slot = page.begin(5)
    assert slot is not None

    page.move(slot, 6)

    assert parse_started(_read(shared)) == {6}


def _pipe() -> int:
    read, write = os.pipe()
    os.close(write)
    return read


def _socket() -> int:
    ours, theirs = socket.socketpair()
    ours.close()
    return theirs.detach()


def _short() -> int:
    descriptor = os.memfd_create("short")
    os.write(descriptor, new_page(3)[:-8])
    return descriptor


def _other() -> int:
    descriptor = os.memfd_create("other")
    os.write(descriptor, b"\xff" * 4096)
    return descriptor


def _read_only() -> int:
    descriptor = os.memfd_create("read only")
    os.write(descriptor, new_page(3))
    reopened = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
    os.close(descriptor)
    return reopened


@pytest.mark.parametrize("make", [_pipe, _socket, _short, _other, _read_only])
def test_what_is_no_page_is_closed_and_written_nowhere(make: Callable[[], int]) -> None:
    """D9: the start goes on."""
    descriptor = make()
    page = open_own_page(descriptor)
    page.beat_loop()
    page.note_crumb(1 << 63)

    assert page.begin(1) is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
