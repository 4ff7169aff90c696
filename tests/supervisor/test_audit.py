"""What concerns authorization stands in the record, once; nobody can fill it, and no disk stops the host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from rookery.supervisor.audit import MOST_SUBJECTS, WINDOW, Audit, open_audit
from rookery.supervisor.audit_lines import audit_files, follow_audit, read_audit
from rookery.supervisor.exit_report import ExitKind, StartedCall
from rookery.supervisor.observers import (
    CapabilitiesGranted,
    CapabilitiesRevoked,
    CapabilityDenied,
    LogWritten,
    PluginIsolated,
    PluginManaged,
    PluginQuarantined,
    PluginReleased,
    RunnerDied,
    RunnerLost,
    SecurityViolation,
    ShardMoved,
)
from rookery.supervisor.shard_state import ShardState
from tests.doubles.connections import report_of_end

Entry = dict[str, Any]


class Written:
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.audit = Audit(self.lines.append, lambda: 1000.0)

    @property
    def entries(self) -> list[Entry]:
        return [json.loads(line) for line in self.lines]


def denied(capability: str = "send.text", *, shard: str = "one", plugin: str = "a.b") -> CapabilityDenied:
    return CapabilityDenied(shard=shard, plugin_id=plugin, capability=capability, reason=f"no {capability}")


@pytest.mark.parametrize(
    ("record", "what", "words"),
    [
        (
            CapabilitiesGranted(
                shard="one", incarnation=2, plugin_id="a.b", capabilities=("send.text",), withheld=("*",)
            ),
            "granted",
            ["send.text", "withheld: *"],
        ),
        (
            CapabilitiesRevoked(shard="one", incarnation=2, plugin_id="a.b", reason="its runner ended"),
            "revoked",
            ["its runner ended"],
        ),
        (denied(), "denied", ["no send.text"]),
        (SecurityViolation(shard="one", incarnation=2, claim="a claim"), "violation", ["a claim"]),
        (RunnerDied(report=report_of_end(), next="", delay=None, culprit="a.b"), "died", ["pid 1"]),
        (RunnerLost(shard="one", pid=7), "killed", ["kernel"]),
        (
            PluginIsolated(shard="one", plugin_id="a.b", to_shard="own", reason="it died"),
            "isolated",
            ["own", "it died"],
        ),
        (
            PluginQuarantined(shard="one", plugin_id="a.b", seconds=60.0, reason="again"),
            "quarantined",
            ["60 s", "again"],
        ),
        (PluginReleased(shard="one", plugin_id="a.b"), "released", []),
        (
            PluginManaged(shard="one", plugin_id="a.b", target="a.c", change="disabled a.c.x"),
            "managed",
            ["disabled a.c.x"],
        ),
    ],
)
async def test_a_record_is_one_line(record: object, what: str, words: list[str]) -> None:
    """With time, shard, what it is and why."""
    written = Written()

    written.audit.note(record)

    [entry] = written.entries
    assert (entry["time"], entry["what"], entry["shard"]) == (1000.0, what, "one")
    assert all(word in entry["reason"] for word in words)


async def test_what_does_not_concern_authorization_is_not_in_it() -> None:
    """It is no second log."""
    written = Written()

    written.audit.note(LogWritten(shard="one", plugin_id="a.b", level=20, text="hi", logger="x"))
    written.audit.note(object())

    assert written.entries == []


async def test_a_denial_tells_the_incarnation_of_its_shard() -> None:
    """As the shard has said it last."""
    written = Written()
    moved = ShardMoved(
        shard="one",
        incarnation=4,
        old=ShardState.LOADING,
        new=ShardState.READY,
        reason="",
        at=0.0,
    )

    written.audit.note(moved)
    written.audit.note(denied())

    assert written.entries[0]["incarnation"] == 4


async def test_a_thousand_denials_are_two_lines(autojump_clock: MockClock) -> None:
    """The first at once, the number of the others when the minute is over."""
    written = Written()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(written.audit.run)
        for _ in range(1000):
            written.audit.note(denied())

        at_once = len(written.entries)
        await trio.sleep(2 * WINDOW)

        assert at_once == 1
        assert [entry.get("repeated") for entry in written.entries] == [None, 999]
        nursery.cancel_scope.cancel()


async def test_what_was_only_counted_is_written_at_the_end(autojump_clock: MockClock) -> None:
    """A host that stops within the minute loses nothing."""
    written = Written()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(written.audit.run)
        for _ in range(3):
            written.audit.note(denied())
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert [entry.get("repeated") for entry in written.entries] == [None, 2]


async def test_a_flood_of_different_denials_is_bounded_and_hides_no_other_shard(
    autojump_clock: MockClock,
) -> None:
    """A plugin that invents names gets so many lines, and its neighbour's line is there."""
    written = Written()

    for number in range(10_000):
        written.audit.note(denied(f"made.up{number}"))
    written.audit.note(denied(shard="two", plugin="a.c"))
    written.audit.note(SecurityViolation(shard="one", incarnation=1, claim="it lied"))

    entries = written.entries
    assert len(entries) == MOST_SUBJECTS + 3
    assert [entry["what"] for entry in entries[-2:]] == ["denied", "violation"]


async def test_a_long_name_is_cut() -> None:
    """A line quotes no megabytes."""
    written = Written()

    written.audit.note(denied("x" * 1_000_000))

    assert len(written.lines[0]) < 3_000


# --- the file ----------------------------------------------------------------------------------------------------------


async def test_the_record_outlives_the_host(tmp_path: Path) -> None:
    """Two runs, one record, readable by its owner alone."""
    for name in ("first", "second"):
        with open_audit(tmp_path) as audit:
            audit.note(denied(name))

    assert [entry["capability"] for entry in read_audit(tmp_path)] == ["first", "second"]
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o077 == 0


async def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    """Noting never fails and never waits; leaving takes a second at most."""
    (tmp_path / "audit.jsonl").mkdir()

    with open_audit(tmp_path) as audit:
        for number in range(100):
            audit.note(denied(f"n{number}"))

    assert audit_files(tmp_path) == []


def test_older_files_come_first(tmp_path: Path) -> None:
    """In the order in which they were written, ten behind nine."""
    for name, capability in (("audit.jsonl", "c"), ("audit.jsonl.2", "b"), ("audit.jsonl.10", "a")):
        line = json.dumps({"what": "denied", "capability": capability})
        (tmp_path / name).write_text(f"{line}\n")

    assert [entry["capability"] for entry in read_audit(tmp_path)] == ["a", "b", "c"]


def test_a_damaged_line_is_shown_and_hides_no_other(tmp_path: Path) -> None:
    """Also a note of the writer that lines are missing, and a line that is being written."""
    good = json.dumps({"what": "denied"})
    text = f'{good}\n[3 lines are missing here]\nnot json\n"text"\n{good}\n{{"what": "de'
    (tmp_path / "audit.jsonl").write_text(text)

    found = [entry["what"] for entry in read_audit(tmp_path)]

    assert found == ["denied", "damaged", "damaged", "damaged", "denied"]


def test_following_goes_on_through_a_rotation(tmp_path: Path) -> None:
    """Every line once, in order, also when the file is not there for a moment."""
    path = tmp_path / "audit.jsonl"

    def write(name: str) -> None:
        with path.open("a") as file:
            file.write(json.dumps({"what": name}) + "\n")

    def rotate() -> None:
        write("b2")
        path.rename(tmp_path / "audit.jsonl.1")

    def half() -> None:
        with path.open("a") as file:
            file.write('{"what": ')

    def other_half() -> None:
        with path.open("a") as file:
            file.write('"d"}\n')

    steps = iter([lambda: write("b"), rotate, lambda: write("c"), half, other_half])
    write("a")

    found = follow_audit(tmp_path, wait=lambda _: next(steps)())  # each look at a file is behind a wait

    assert [entry and entry["what"] for entry in (next(found) for _ in range(6))] == [
        "a",
        None,
        "b",
        "b2",
        "c",
        "d",
    ]
    found.close()


def test_following_goes_on_through_several_rotations_at_once(tmp_path: Path) -> None:
    """What came and went between two looks is in an older file, and told all the same."""
    path = tmp_path / "audit.jsonl"

    def write(name: str) -> None:
        with path.open("a") as file:
            file.write(json.dumps({"what": name}) + "\n")

    def rotate_thrice() -> None:
        for number in range(3):
            for older in (2, 1):
                if (place := tmp_path / f"audit.jsonl.{older}").exists():
                    place.rename(tmp_path / f"audit.jsonl.{older + 1}")
            path.rename(tmp_path / "audit.jsonl.1")
            write(f"new {number}")

    write("old")
    steps = iter([rotate_thrice, lambda: write("last")])

    found = follow_audit(tmp_path, wait=lambda _: next(steps)())

    assert [entry and entry["what"] for entry in (next(found) for _ in range(6))] == [
        "old",
        None,
        "new 0",
        "new 1",
        "new 2",
        "last",
    ]
    found.close()


async def test_frames_that_are_none_are_a_violation_and_a_kill(autojump_clock: MockClock) -> None:
    """Named with the plugin whose code ran; what was told as a claim is not told twice."""
    written = Written()
    call = StartedCall(plugin_id="a.c", component="x", request_id=1)
    report = attrs.evolve(
        report_of_end(),
        kind=ExitKind.PROTOCOL,
        reason="a frame of nothing",
        sent_signal=True,
        plugins=("a.b", "a.c"),
        started=(call,),
        knows_started=True,
    )

    written.audit.note(RunnerDied(report=report, next="", delay=None))
    written.audit.note(SecurityViolation(shard="one", incarnation=2, claim="it lied", plugin_id="a.b"))
    written.audit.note(RunnerDied(report=attrs.evolve(report, incarnation=2), next="", delay=None))

    told = [(entry["what"], entry["incarnation"], entry["plugin"]) for entry in written.entries]
    assert told == [
        ("violation", 1, "a.c"),
        ("killed", 1, "a.c"),
        ("violation", 2, "a.b"),
        ("killed", 2, "a.c"),
    ]
    assert written.entries[0]["reason"] == "a frame of nothing"
