"""A runner without a plugin, in one small process, which comes up as it should and then attacks its host by the connection.

Started as `python hostile_runner.py ATTACK MARK --link-fd N …`. An attack is the name of a function below. Nothing of rookery is
imported: what it may send is bytes, and whatever the host does about them is the host's own. Only the first one attacks, which
leaves a file MARK; later ones answer each call with ``hello``.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # it is a program of its own, too

from tests.doubles.hostile_connection import (
    BROADCAST,
    REQUEST,
    RESPONSE,
    Connection,
    envelope,
    frame,
    plain_request,
)
from tests.doubles.lingering import open_lingering

FIRST = 10_000_000
"""Ids of an attack begin here: beyond those of the way up."""

FRAME = 1024 * 1024
"""The limit of a frame from a shard that is not trusted."""


def until_the_end(to: Connection, frames: Callable[[int], bytes], *, at_once: int = 64) -> None:
    """Write without a pause, as fast as the host takes it."""
    to.read_away()
    number = FIRST
    while True:
        to.write(b"".join(frames(number + each) for each in range(at_once)))
        number += at_once


def _capability(to: Connection, number: int, **args: Any) -> bytes:
    call = {"capability": "config.get", "args": {"key": "x", **args}}
    return envelope(number, REQUEST, "cap.call", to.plugin, call)


# --- before it is ready -----------------------------------------------------------------------------------------


def noise_before_hello(to: Connection) -> None:
    to.write(os.urandom(4096))
    time.sleep(3600)


def half_a_hello(to: Connection) -> None:
    to.write(struct.pack(">I", 400) + b"\x89")
    time.sleep(3600)


def requests_before_hello(to: Connection) -> None:
    call = {"capability": "config.get", "args": {"key": "x"}}
    until_the_end(to, lambda number: plain_request(number, "cap.call", call, "test.evil"))


def flood_while_loading(to: Connection) -> None:
    until_the_end(to, lambda number: _capability(to, number))


BEFORE_HELLO = ("noise_before_hello", "half_a_hello", "requests_before_hello")
WHILE_LOADING = ("flood_while_loading",)


# --- floods -----------------------------------------------------------------------------------------------------


def flood_of_requests(to: Connection) -> None:
    until_the_end(to, lambda number: _capability(to, number))


def flood_of_requests_one_by_one(to: Connection) -> None:
    """Each is there when the last one is done with, so that the host never reads as much as it might at once."""
    until_the_end(to, lambda number: _capability(to, number), at_once=1)


def flood_of_unknown_requests(to: Connection) -> None:
    until_the_end(to, lambda number: envelope(number, REQUEST, "no.such", to.plugin))


def flood_of_answers(to: Connection) -> None:
    """To what nobody has asked."""
    until_the_end(to, lambda number: envelope(number, RESPONSE))


def flood_of_late_answers(to: Connection) -> None:
    """All to the first request that the host has ever made, whose number is known to everybody."""
    until_the_end(to, lambda _: envelope(1, RESPONSE))


def flood_of_logs(to: Connection) -> None:
    entry = {"timestamp_ms": 0, "level": 20, "logger_name": "plugin.test.evil", "message": "x" * 1000}
    until_the_end(
        to, lambda number: envelope(number, BROADCAST, "runner.log_batch", "", {"entries": [entry]})
    )


def flood_of_registrations(to: Connection) -> None:
    payload = to.registration(300)
    until_the_end(
        to,
        lambda number: envelope(number, REQUEST, "plugin.register_components", to.plugin, payload),
        at_once=1,
    )


def flood_of_introductions(to: Connection) -> None:
    wanted = {"plugin_id": to.plugin, "capabilities_required": [f"made.up{number}" for number in range(1000)]}
    until_the_end(
        to, lambda number: envelope(number, REQUEST, "plugin.bootstrap", to.plugin, wanted), at_once=1
    )


def flood_of_extensions(to: Connection) -> None:
    until_the_end(to, lambda number: envelope(number, BROADCAST, "runner.extend", "", {"seconds": 60.0}))


def flood_of_bad_notices(to: Connection) -> None:
    """Each has a mistake, which the host would tell in its log."""
    until_the_end(
        to, lambda number: envelope(number, BROADCAST, "runner.started", "", {"request_ids": "none"})
    )


def flood_of_exchanges(to: Connection) -> None:
    def both(number: int) -> bytes:
        step = "trial" if number % 2 else "taken"
        payload = {"plugin_id": to.plugin, "step": step}
        return envelope(number, BROADCAST, "runner.exchange", "", payload)

    until_the_end(to, both)


def flood_of_large_requests(to: Connection) -> None:
    text = "x" * (FRAME - 1000)
    until_the_end(to, lambda number: _capability(to, number, more=text), at_once=1)


def flood_of_full_requests(to: Connection) -> None:
    """As many maps as a frame may hold."""
    maps: list[Any] = [{} for _ in range(130_000)]
    until_the_end(to, lambda number: _capability(to, number, more=maps), at_once=1)


def flood_of_long_lists(to: Connection) -> None:
    """Nothing but numbers, where the host looks at each."""
    numbers = [1] * (FRAME - 1000)
    until_the_end(
        to,
        lambda number: envelope(number, BROADCAST, "runner.started", "", {"request_ids": numbers}),
        at_once=1,
    )


def flood_of_long_batches(to: Connection) -> None:
    entry = {"timestamp_ms": 0, "level": 20, "logger_name": "", "message": ""}
    entries = [entry] * 17_000
    until_the_end(
        to,
        lambda number: envelope(number, BROADCAST, "runner.log_batch", "", {"entries": entries}),
        at_once=1,
    )


def flood_of_output(to: Connection) -> None:
    """On standard error, which the host reads for a runner that does not say that it does so itself."""
    to.read_away()
    lines = b"x" * 100 + b"\n"
    os.set_blocking(2, True)
    while True:
        os.write(2, lines * 600)


WITHOUT_LOGS = ("flood_of_output",)


def a_million_frames_of_noise(to: Connection) -> None:
    """Well-framed, and in them whatever comes by chance."""
    noise = os.urandom(4096)
    to.read_away()
    for number in range(1_000_000):
        start = number * 7 % 4000
        to.write(frame(noise[start : start + 40]))


# --- frames that are none ---------------------------------------------------------------------------------------


def half_a_frame(to: Connection) -> None:
    to.read_away()
    to.write(struct.pack(">I", 1000) + b"half")
    time.sleep(3600)


def a_byte_at_a_time(to: Connection) -> None:
    to.read_away()
    to.write(struct.pack(">I", 1000))
    while True:
        to.write(b"x")
        time.sleep(0.1)


def half_frames_one_after_the_other(to: Connection) -> None:
    """Each frame is complete in time, and there is always a half one that the host holds."""
    to.read_away()
    whole = _capability(to, FIRST)
    while True:
        to.write(whole[:9])
        time.sleep(0.01)
        to.write(whole[9:])


def a_huge_length(to: Connection) -> None:
    to.read_away()
    to.write(b"\xff\xff\xff\xff" + b"x" * 60_000)
    time.sleep(3600)


def a_length_above_the_limit(to: Connection) -> None:
    to.read_away()
    to.write(struct.pack(">I", FRAME + 1))
    time.sleep(3600)


def a_bomb(to: Connection) -> None:
    """A frame of the limit's size that would be 72 times as large."""
    to.read_away()
    count = FRAME - 5
    to.write(frame(b"\xdd" + struct.pack(">I", count) + b"\x90" * count))
    time.sleep(3600)


# --- a peer that does not read ----------------------------------------------------------------------------------


def never_read(to: Connection) -> None:
    """It asks for what is answered, and takes no answer."""
    number = FIRST
    while True:
        to.write(_capability(to, number))
        number += 1


def read_in_sips(to: Connection) -> None:
    """It asks for much, and takes some answers a second."""

    def sip() -> None:
        # The kernel lets a host write again when three quarters of what it holds were taken: slower than this is a stall.
        while to.socket.recv(30_000):
            time.sleep(0.2)

    threading.Thread(target=sip, daemon=True).start()
    for number in range(FIRST, FIRST + 100_000):
        to.write(_capability(to, number, default="x" * 1000))
    time.sleep(3600)


def hand_over_a_lingering_connection(to: Connection) -> None:
    """Whoever reads the byte is the last owner of a connection that is full, and waits an hour when it closes it."""
    full, peer = open_lingering(3600)
    try:
        socket.send_fds(to.socket, [envelope(FIRST, BROADCAST, "runner.loading", "", {})], [full.fileno()])
    except PermissionError:
        return  # the kernel lets nobody send descriptors there
    full.close()
    peer.recv(1)
    time.sleep(3600)


# --- lies -------------------------------------------------------------------------------------------------------


def forged_answers(to: Connection) -> None:
    """To the next numbers of its own connection, which may be asked or not."""
    to.read_away()
    for number in range(1, 200_000):
        to.write(envelope(number, RESPONSE, "", "", {"success": True, "result": "forged"}))
    time.sleep(3600)


def another_name(to: Connection) -> None:
    to.read_away()
    call = {"capability": "config.get", "args": {"key": "x"}}
    to.write(envelope(FIRST, REQUEST, "cap.call", "test.bystander", call))
    time.sleep(3600)


def the_same_number(to: Connection) -> None:
    to.read_away()
    wait = {"capability": "config.get", "args": {"key": "x"}}
    to.write(b"".join(envelope(FIRST, REQUEST, "cap.call", to.plugin, wait) for _ in range(100)))
    time.sleep(3600)


def flood_and_die(to: Connection) -> None:
    """As much as the kernel holds, and no process behind it any more."""
    to.socket.setblocking(False)
    number = FIRST
    try:
        while True:
            number += 1
            to.socket.send(_capability(to, number))
    except BlockingIOError:
        os._exit(0)


def attacks() -> Iterator[str]:
    """Their names: what takes a connection and nothing else."""
    for name, found in globals().items():
        notes = getattr(found, "__annotations__", {})
        if notes.get("to") == "Connection" and set(notes) == {"to", "return"}:
            yield name


def main() -> None:
    name, mark, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    to = Connection(int(words[words.index("--link-fd") + 1]))
    is_first = not os.path.exists(mark)
    with open(mark, "w"):
        pass
    if is_first and name in BEFORE_HELLO:
        globals()[name](to)
    to.say_hello(["assignment", "loading", "compact", *([] if name in WITHOUT_LOGS else ["logs"])])
    if is_first and name in WHILE_LOADING:
        globals()[name](to)
    to.load()
    if is_first:
        globals()[name](to)
    to.work()


if __name__ == "__main__":
    main()
