"""E: a real runner whose plugin has found the connection and writes on it what it likes. The host and those next door go on.

Any code of a runner's process can do that, so no interface of the runner is used: the descriptor is found as malware would.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import RunnerDied, SecurityViolation
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

HOSTILE = r'''
import os
import random
import select
import socket
import struct
import time

import msgpack
import trio

from rookery.runner import Plugin, tool

REQUEST, RESPONSE, BROADCAST = range(3)


def connection(host: int) -> int:
    """The descriptor behind which the host is."""
    for name in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
            pid, _, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            continue
        if pid == host:
            return found.detach()
    raise LookupError("there is no connection")


def write(to: int, data: bytes) -> None:
    while data:
        select.select([], [to], [])
        try:
            data = data[os.write(to, data):]
        except BlockingIOError:
            continue


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def envelope(number, kind, method="", plugin="", payload=None, error=None):
    return frame(msgpack.packb([number, kind, method, plugin, 30000, payload or {}, error]))


def slowly(to):
    write(to, struct.pack(">I", 1000))
    while True:
        write(to, b"x")
        time.sleep(0.2)


def half(to):
    write(to, struct.pack(">I", 1000) + b"half")
    time.sleep(3600)


def flood(to):
    for number in range(10_000_000, 11_000_000):
        write(to, envelope(number, REQUEST, "cap.call", "test.evil", {"capability": "config.get", "args": {}}))


def shout(to):
    entry = {"timestamp_ms": 0, "level": 20, "logger_name": "plugin.test.evil", "message": "x" * 1000}
    for _ in range(20_000):
        write(to, envelope(10_000_000, BROADCAST, "runner.log_batch", "", {"entries": [entry]}))


def colliding(to):
    keys = b"".join(b"\xcf" + struct.pack(">Q", number << 40) + b"\xc0" for number in range(300_000))
    write(to, frame(b"\xdf" + struct.pack(">I", 300_000) + keys))


ATTACKS = {
    "half a frame": half,
    "a byte at a time": slowly,
    "a length of 4 GiB": lambda to: write(to, b"\xff" * 4 + b"rest"),
    "a length above the limit": lambda to: write(to, struct.pack(">I", 16 * 1024 * 1024 + 1)),
    "a length of nothing": lambda to: write(to, bytes(4)),
    "a list of 4 GiB": lambda to: write(to, frame(b"\xdd\xff\xff\xff\xff")),
    "a map of 4 GiB": lambda to: write(to, frame(b"\xdf\xff\xff\xff\xff")),
    "bytes of 4 GiB": lambda to: write(to, frame(b"\xc6\xff\xff\xff\xff")),
    "an extension of 4 GiB": lambda to: write(to, frame(b"\xc9\xff\xff\xff\xff\x01")),
    "four million empty lists": lambda to: write(to, frame(b"\xdd" + struct.pack(">I", 4 << 20) + b"\x90" * (4 << 20))),
    "lists in lists": lambda to: write(to, frame(b"\x91" * 100_000 + b"\xc0")),
    "keys that collide": colliding,
    "an extension": lambda to: write(to, frame(b"\xd4\x7f\x00")),
    "a time stamp": lambda to: write(to, frame(b"\xd6\xff\x00\x00\x00\x00")),
    "a reserved byte": lambda to: write(to, frame(b"\xc1")),
    "something behind the end": lambda to: write(to, frame(msgpack.packb([1, 1, "", "", 1, {}, None]) + b"\x00")),
    "text that is none": lambda to: write(to, frame(msgpack.packb([1, 0]) + b"\xa2\xff\xfe")),
    "a second hello": lambda to: write(to, envelope(10_000_000, REQUEST, "runner.hello", "", {
        "runner_id": "r", "sdk_version": "2.0.0", "session_token": ""})),
    "ready again": lambda to: write(to, envelope(10_000_000, REQUEST, "runner.ready")),
    "another's name": lambda to: write(to, envelope(10_000_000, REQUEST, "cap.call", "test.bystander", {
        "capability": "config.get", "args": {"key": "x"}})),
    "another's component": lambda to: write(to, envelope(10_000_000, REQUEST, "plugin.register_components", "test.evil", {
        "plugin_id": "test.bystander", "components": []})),
    "a hundred and one answers": lambda to: [
        write(to, envelope(number, RESPONSE, payload={"success": True})) for number in range(5_000_000, 5_000_101)],
    "requests without end": flood,
    "noise": lambda to: [
        write(to, frame(random.Random(seed).randbytes(200))) for seed in range(20)],
}


class It(Plugin):
    @tool("greet")
    async def greet(self):
        return "hello"

    @tool("attack")
    async def attack(self, how: str, host: int):
        ATTACKS[how](connection(host))
        return "sent"

    @tool("forge")
    async def forge(self, host: int, first: int, count: int):
        """Answer what nobody has asked yet, or somebody else has."""
        to = connection(host)
        for number in range(first, first + count):
            write(to, envelope(number, RESPONSE, payload={"success": True, "result": "forged"}))
        return "sent"

    @tool("shout")
    async def shout(self, host: int):
        shout(connection(host))
        return "sent"

    @tool("strangle")
    async def strangle(self, host: int):
        """From now on a few kilobytes at a time leave this process."""
        to = socket.socket(fileno=connection(host))
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        to.close()
        return "x" * 3_000_000

    @tool("deafen")
    async def deafen(self, host: int):
        """The connection stays open, beats go on, and nothing is read any more."""
        to = connection(host)
        here = os.fstat(to).st_ino
        silent, self.other = socket.socketpair()
        for name in os.listdir("/proc/self/fd"):
            try:
                if int(name) != to and os.fstat(int(name)).st_ino == here:
                    os.dup2(silent.fileno(), int(name))
            except OSError:
                continue
        silent.detach()
'''

IDS = {
    "E1": ["half a frame"],
    "E2": ["a byte at a time"],
    "E3": ["a length of 4 GiB", "a length above the limit", "a length of nothing"],
    "E4": ["a list of 4 GiB", "a map of 4 GiB", "bytes of 4 GiB", "an extension of 4 GiB"],
    "E5": ["four million empty lists"],
    "E6": ["lists in lists"],
    "E7": ["keys that collide"],
    "E8": [
        "an extension",
        "a time stamp",
        "a reserved byte",
        "something behind the end",
        "text that is none",
    ],
    "E10": ["a second hello"],
    "C9": ["ready again"],
    "E13": ["a hundred and one answers"],
    "E17": ["another's name", "another's component"],
    "E20": ["requests without end"],
    "E25": ["noise"],
}

SHORT = "[shard.health]\nframe_timeout = 1.0\nbeat_timeout = 2.0\nack_timeout = 1.5\nhang_timeout = 3.0\n"


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """The hostile one in a shard of its own; next door one that answers all the time, from its first runner."""
    made = Deployment(tmp_path, state_dir)
    made.shard_more = SHORT
    made.module("hostile", "evil", HOSTILE)
    made.plugin("other", "bystander", '@tool("greet")\nasync def greet(self):\n    return "hello"')
    yield made
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


async def greet(supervisor: Supervisor, plugin: str) -> object:
    return await supervisor.invoke(f"test.{plugin}", "greet", timeout=20.0)


async def keep_greeting(supervisor: Supervisor) -> None:
    """The one next door is asked without a pause; the first failure fails the test."""
    while True:
        assert await greet(supervisor, "bystander") == "hello"
        await trio.sleep(0.002)  # it is no synchronisation: a loop of calls alone would measure itself


def unplanned(deployment: Deployment) -> list[RunnerDied]:
    return [died for died in deployment.told(RunnerDied) if not died.report.planned]


@pytest.mark.parametrize("how", [how for attacks in IDS.values() for how in attacks])
async def test_what_breaks_a_rule_ends_its_runner_alone(deployment: Deployment, how: str) -> None:
    """C9, E1-E8, E10, E13, E17, E20, E25: the death says which rule, the caller is told, the next runner answers."""
    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(keep_greeting, supervisor)
        try:
            told = await supervisor.invoke(
                "test.evil", "attack", {"how": how, "host": os.getpid()}, timeout=20.0
            )
        except DispatchFailed as failure:
            told = failure
        died = await deployment.wait_told(RunnerDied, lambda died: not died.report.planned)
        assert await greet(supervisor, "evil") == "hello"
        nursery.cancel_scope.cancel()

    # Its answer was in order when the host read it before it judged what stood before it: there is no third way.
    assert told == "sent" or (isinstance(told, DispatchFailed) and told.is_loss)
    # One that only writes is held up by the host, which keeps no more than a bound for it: its own loop stands still then.
    assert died.report.kind in {ExitKind.PROTOCOL, ExitKind.HANG if how == "requests without end" else None}
    assert died.report.describe().startswith('shard "hostile" #1')
    claims = [record.claim for record in deployment.told(SecurityViolation)]
    assert bool(claims) == how.startswith("another's")


async def test_forged_answers_reach_nobody(deployment: Deployment) -> None:
    """E14, E15, E16, E18: answers to what is not asked yet, or was asked of another shard, are counted and dropped."""
    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(keep_greeting, supervisor)
        host = os.getpid()
        told = [
            await supervisor.invoke("test.evil", "forge", {"host": host, "first": first, "count": count})
            for first, count in ((1, 60), (40, 30))
        ]
        answers = [await greet(supervisor, "evil") for _ in range(100)]
        nursery.cancel_scope.cancel()

    # What it answers for itself is its own affair: forged answers that are still on their way may meet a request of its own.
    # Those next door are asked all the time, and get none of them.
    assert set(told) <= {"sent", "forged"}
    assert set(answers) <= {"hello", "forged"}
    assert set(answers[-20:]) == {"hello"}  # with numbers that it had not forged
    assert unplanned(deployment) == []


async def test_a_flood_of_what_needs_no_answer_costs_its_own_shard(deployment: Deployment) -> None:
    """E20: 20,000 entries of a log; they are cut to the rate, dropped and counted, and the shard lives."""
    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(keep_greeting, supervisor)
        await supervisor.invoke("test.evil", "shout", {"host": os.getpid()}, timeout=25.0)
        assert await greet(supervisor, "evil") == "hello"
        (hostile,) = [shard for shard in supervisor.status().shards if shard.name == "hostile"]
        nursery.cancel_scope.cancel()

    assert hostile.dropped_lines > 10_000
    assert unplanned(deployment) == []


async def test_a_connection_of_a_few_kilobytes_at_a_time_changes_nothing(deployment: Deployment) -> None:
    """E30: three megabytes through the smallest buffer that the kernel gives; then again as before."""
    async with deployment.run() as supervisor:
        large = await supervisor.invoke("test.evil", "strangle", {"host": os.getpid()}, timeout=20.0)
        answer = await greet(supervisor, "evil")

    assert large == "x" * 3_000_000
    assert answer == "hello"
    assert unplanned(deployment) == []


async def test_beats_do_not_save_a_runner_that_reads_nothing(deployment: Deployment) -> None:
    """C10: its loop is well and its connection open; it is suspect, then killed, and the next one answers what waited."""
    async with deployment.run() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(keep_greeting, supervisor)
        with pytest.raises(DispatchFailed):
            await supervisor.invoke("test.evil", "deafen", {"host": os.getpid()}, timeout=1.0)
        assert await greet(supervisor, "evil") == "hello"
        nursery.cancel_scope.cancel()

    (died,) = unplanned(deployment)
    assert died.report.kind in (ExitKind.HANG, ExitKind.STUCK)


def test_every_attack_is_in_the_list() -> None:
    """A name of an attack that is only in one of the two places would be tried by nobody."""
    made: dict[str, dict[str, object]] = {}
    exec(compile(HOSTILE, "evil", "exec"), made)

    assert sorted(made["ATTACKS"]) == sorted(how for attacks in IDS.values() for how in attacks)
