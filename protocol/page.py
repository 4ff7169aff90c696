"""What stands where in the page of memory that a host shares with one runner?

The runner writes, the host reads once a second and once after the runner's death. A store into a shared page costs a
tenth of a microsecond, wakes nobody, and outlives whatever ends the process: SIGKILL, a crash in C, ``os._exit``. A frame
for each of these facts would cost the host a wake-up for each.

============ ==========================================================================================
magic        the page is one of this layout
slots        how many started slots follow; written by the host
loop beats   how often its host has asked whether it is there, as far as the loop has answered
thread beats the same, by a thread: it answers when the loop is blocked, and not when the interpreter is
read         the highest id of a request that the runner has taken from its socket
crumb        what is on the CPU in the loop's thread: see ``Crumb``
pid          of the process that writes
turns        of the loop: odd while it waits for something to happen, even while it runs, another number each time. A
             loop that waits needs no timer to prove that it does not hang; 0 from a runner that beats once a second
started      ids of requests whose handler has begun, in no order; old ids stay until they are overwritten. Of a
             segment, those of its parts that go on, and one that moves along with the part that has begun last
============ ==========================================================================================

Every field is one u64 in native order, written by one store: a death leaves none half written. What stands here is the
runner's word about itself and about nobody else.

**Why a started slot is there when it is needed.** The host has at most *W* calls open. The runner writes an id into a free
slot before the handler's first line, and returns the slot to the end of the queue of free ones when the answer stands in
its send buffer. Until that answer has reached the kernel, at most *W* calls that were open then, and *W* that the host sent
on the answers before it, can begin. With 3·*W* slots none of them gets this slot. So an id that the host still waits for
stands in a slot if, and only if, its handler has begun.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import attrs

MAGIC = 0x31_59_52_45_4B_4F_4F_52
"""``ROOKERY1`` in little-endian bytes: how a page begins."""

SLOTS_AT = 8
LOOP_BEATS_AT = 16
THREAD_BEATS_AT = 24
READ_AT = 32
CRUMB_AT = 40
PID_AT = 48
TURNS_AT = 56
STARTED_AT = 64

HANDED = 1 << 63
"""Added to the id of a segment's part that waits alone: parts after it may have begun, and it has not."""

MAX_SLOTS = 1 << 20
"""The largest page is 8 MiB; above it the runner says ``runner.started`` for what finds no slot."""

_HEAD = struct.Struct("=8Q")
_PHASE_SHIFT, _PLUGIN_SHIFT = 56, 32
_MAX_PLUGIN = (1 << 24) - 1
_MAX_REQUEST = (1 << 32) - 1


class Phase(IntEnum):
    """What kind of plugin code is on the CPU."""

    IDLE = 0
    """None: the loop waits, or runs code of rookery."""
    IMPORT = 1
    LOAD = 2
    """``on_load``."""
    CALL = 3
    """A component, for a request of the host."""
    TASK = 4
    """A task that the plugin started itself."""
    UNLOAD = 5
    """``on_unload``."""


@attrs.frozen(kw_only=True)
class Crumb:
    """Whose code was running."""

    phase: Phase = Phase.IDLE
    plugin: int = 0
    """1 for the first plugin of the assignment, and so on; 0 for none."""
    request_id: int = 0
    """Modulo 2**32; 0 outside of calls."""


@attrs.frozen(kw_only=True)
class PageHead:
    """Everything but the started slots."""

    loop_beats: int
    thread_beats: int
    read: int
    """Highest request id that was taken from the socket; 0 before the first."""
    crumb: Crumb
    pid: int
    """0 until the runner has mapped the page."""
    turns: int = 0
    """Odd while the loop waits, even while it runs; 0 when the runner does not say."""


def page_bytes(slots: int) -> int:
    """The size of a page with so many started slots, in bytes."""
    return STARTED_AT + 8 * slots


def new_page(slots: int) -> bytes:
    """How the host fills a page before anybody has it.

    Raises:
        ValueError: ``slots`` is out of range.
    """
    if not 0 <= slots <= MAX_SLOTS:
        raise ValueError(f"slots is {slots}, expected 0 to {MAX_SLOTS}")
    return _HEAD.pack(MAGIC, slots, 0, 0, 0, 0, 0, 0).ljust(page_bytes(slots), b"\0")


def pack_crumb(phase: Phase, plugin: int, request_id: int) -> int:
    """A crumb as the number that is stored; a plugin number that is too large becomes 0."""
    known = plugin if 0 <= plugin <= _MAX_PLUGIN else 0
    return phase << _PHASE_SHIFT | known << _PLUGIN_SHIFT | request_id & _MAX_REQUEST


def unpack_crumb(value: int) -> Crumb:
    """What a stored number says; an unknown phase is a lie or damage and reads as IDLE."""
    number = value >> _PHASE_SHIFT
    if number > Phase.UNLOAD:
        return Crumb()
    return Crumb(
        phase=Phase(number), plugin=value >> _PLUGIN_SHIFT & _MAX_PLUGIN, request_id=value & _MAX_REQUEST
    )


def slots_of(data: bytes) -> int | None:
    """How many started slots a page has; None when it is no page of this layout, or is shorter than it says."""
    if len(data) < STARTED_AT:
        return None
    magic, slots = struct.unpack_from("=2Q", data)
    return slots if magic == MAGIC and slots <= MAX_SLOTS and len(data) >= page_bytes(slots) else None


def parse_head(data: bytes) -> PageHead | None:
    """Read the head; None when it is no page of this layout. Never raises, whatever the runner has written there."""
    if len(data) < STARTED_AT:
        return None
    magic, _, loop_beats, thread_beats, read, crumb, pid, turns = _HEAD.unpack_from(data)
    if magic != MAGIC:
        return None
    return PageHead(
        loop_beats=loop_beats,
        thread_beats=thread_beats,
        read=read,
        crumb=unpack_crumb(crumb),
        pid=pid,
        turns=turns,
    )


def parse_started(data: bytes) -> frozenset[int]:
    """The ids in the slots, of answered requests too; data that ends early has fewer. Never raises."""
    whole = (
        data[STARTED_AT : STARTED_AT + (len(data) - STARTED_AT) // 8 * 8] if len(data) > STARTED_AT else b""
    )
    return frozenset(struct.unpack(f"={len(whole) // 8}Q", whole)) - {0}
