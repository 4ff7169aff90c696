"""How large, how many, how long: every number of the protocol with its reason."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

HEADER_BYTES = 4
"""One unsigned 32-bit big-endian length, payload only (protocol 1.0.0)."""

MAX_FRAME_BYTES = 16 * MIB
"""The frame limit of protocol 1.0.0, both directions."""

UNTRUSTED_MAX_FRAME_BYTES = 1 * MIB
"""For shards that are not trusted: an untyped body may cost twenty times its size once it is decoded."""

READ_CHUNK_BYTES = 64 * KIB
"""One read. From 128 KiB on, malloc maps and unmaps memory on each call, which triples the cost of a read."""

MAX_NAME_CHARS = 1024
"""A method's or a plugin's name in an envelope. An answer repeats both: a refusal has to fit where the request did."""

MAX_ERROR_CHARS = 16 * KIB
"""The text of an error answer. A longer one is cut, so that refusing always works."""

MAX_CONTAINERS = 131_072
"""Maps, lists and extensions in one frame. They are what costs seventy times its bytes, and a quarter of a second a MiB;
texts, bytes and numbers cost some twenty times at worst, and what is honest less. A frame of the largest size still has
room for one in each 128 bytes, and one of at most this many bytes cannot exceed it."""

UNTRUSTED_MAX_CONTAINERS = 16_384
"""The same for shards that are not trusted: as many take four milliseconds to build, and the most that is built before a frame
is found to hold more takes as long. A list of five thousand records still goes through."""

MAX_DEPTH = 128
"""How deep maps and arrays may nest. msgpack itself stops at 511 when it packs."""

MAX_LIST_ITEMS = 10_000
"""Items of a list in a payload whose items have a type: each is looked at, which takes one microsecond and a half for a number and
thirty for a map. Free-form lists, as in arguments and results, are not among them."""

MAX_PENDING = 65_536
"""Requests that may wait for an answer on one connection; above it something is wrong on this side."""

MAX_ANSWERS_OWED = 65_536
"""Requests of the peer that may be unanswered at once before the peer is said to flood."""

UNTRUSTED_TURN_BYTES = 4 * KIB
"""What is heard of a peer that is not trusted before others have their turn: some seventy requests, two milliseconds of the
loop's time. A chunk of the usual size holds a thousand, and held all others up for forty."""

DRAIN_BYTES = 16 * MIB
"""What is read of a peer's last words at once: more than a kernel holds, and an end for a peer that is not dead."""

EARLY_FLUSH_BYTES = 32 * KIB
"""Queued in one pass of the scheduler, it is written before the pass is over: waiting for its end alone makes host and
runner take turns, which halves the throughput on two processors."""

WRITE_BUFFER_BYTES = 64 * MIB
"""Bytes that may wait for a slow reader: four frames of the largest size. More means the peer does not read."""

UNTRUSTED_WRITE_BUFFER_BYTES = 16 * MIB
"""The same for shards that are not trusted: as many calls as may be under way, each with a picture of 256 KiB."""

HANDSHAKE_TIMEOUT = 10.0
"""Seconds each side waits for the other's part of the hello (protocol 1.0.0)."""

DEFAULT_TIMEOUT_MS = 30_000
"""The budget of a request when nobody says otherwise (protocol 1.0.0)."""

LIFECYCLE_TIMEOUT = 10.0
"""Seconds for bootstrap, register, unregister, ready and the configuration requests (protocol 1.0.0)."""

INVOKE_TIMEOUT = 30.0
"""Seconds for one component when neither it nor its caller names a time (protocol 1.0.0)."""

SHUTDOWN_TIMEOUT = 5.0
"""Seconds for each of the two shutdown requests (protocol 1.0.0)."""

RELOAD_TIMEOUT = 30.0
"""Seconds for a reload or an unload of plugins (protocol 1.0.0: the spawn time-out, 30 s)."""

DEADLINE_SWEEP = 0.05
"""Seconds between two looks at the deadlines of pending requests; half of the 100 ms a late end may cost."""
