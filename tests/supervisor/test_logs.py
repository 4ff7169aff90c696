"""What shards write arrives under a name that is theirs, in bounds."""

from __future__ import annotations

import logging

import pytest

from rookery.protocol import LogBatch, LogEntry
from rookery.supervisor.logs import LOG_BURST, LOG_RATE, MAX_LINE_CHARS, Allowance, LogSink
from rookery.supervisor.observers import LogWritten, Observers

PLUGINS = ("chat.dice", "chat.dice.more")


class Desk:
    """A sink, what it told observers, and a clock to turn."""

    def __init__(self) -> None:
        self.now = 0.0
        self.records: list[LogWritten] = []
        observers = Observers()
        observers.add(self._take)
        self.sink = LogSink(observers, clock=lambda: self.now)

    def _take(self, record: object) -> None:
        assert isinstance(record, LogWritten)
        self.records.append(record)

    def write(self, message: str = "hello", logger: str = "plugin.chat.dice", **fields: object) -> None:
        entry = LogEntry(
            timestamp_ms=0, **{"level": logging.INFO, "logger_name": logger, "message": message, **fields}
        )  # type: ignore[arg-type]
        self.sink.write_batch("games", PLUGINS, LogBatch(entries=[entry]))


@pytest.fixture
def desk(caplog: pytest.LogCaptureFixture) -> Desk:
    caplog.set_level(logging.DEBUG, "rookery")
    return Desk()


@pytest.mark.parametrize(
    ("claimed", "plugin_id", "logger"),
    [
        pytest.param("plugin.chat.dice", "chat.dice", "plugin.chat.dice", id="a plugin's own"),
        pytest.param("plugin.chat.dice.net", "chat.dice", "plugin.chat.dice.net", id="below it"),
        pytest.param("plugin.chat.dice.more.x", "chat.dice.more", "plugin.chat.dice.more.x", id="the longest id wins"),
        pytest.param("_maibot_plugin_chat_dice", "chat.dice", "_maibot_plugin_chat_dice", id="an original module"),
        pytest.param("plugin.other.one", "", "shard.games", id="another shard's plugin"),
        pytest.param("plugin.chat.dicey", "", "shard.games", id="a longer word"),
        pytest.param("_maibot_plugin_other", "", "shard.games", id="another's module"),
        pytest.param("rookery.runner", "", "shard.games", id="the runner itself"),
        pytest.param("httpx", "", "shard.games.httpx", id="a library"),
        pytest.param("rookery.supervisor", "", "shard.games.rookery.supervisor", id="the host's name"),
    ],
)  # fmt: skip
def test_a_name_is_a_claim(
    claimed: str, plugin_id: str, logger: str, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A shard speaks for its own plugins, else for itself; never for others and never for the host."""
    desk.write(logger=claimed)

    (record,) = desk.records
    assert (record.shard, record.plugin_id, record.logger) == ("games", plugin_id, logger)
    assert caplog.records[0].name == f"rookery.{logger}"


def test_a_traceback_follows_its_message_once(desk: Desk) -> None:
    """Also when the message has it already, as those of the original runner do."""
    desk.write("it failed", exception_text="Traceback\nValueError: x")
    desk.write("it failed\nTraceback\nValueError: x", exception_text="Traceback\nValueError: x")

    assert [record.text for record in desk.records] == ["it failed\nTraceback\nValueError: x"] * 2


def test_what_would_touch_a_terminal_is_escaped(desk: Desk) -> None:
    """Colours, bells, carriage returns; texts of other scripts stay as they are."""
    desk.write("\x1b[2J red\r\x07 \x9b1m 骰子\ttab")

    assert desk.records[0].text == "\\x1b[2J red\\x0d\\x07 \\x9b1m 骰子\ttab"


def test_a_long_line_is_cut_and_says_so(desk: Desk) -> None:
    """Nobody reads a line of a hundred megabytes."""
    desk.write("x" * 10_000)

    assert desk.records[0].text == "x" * MAX_LINE_CHARS + "… (10000 characters)"


@pytest.mark.parametrize(("given", "level"), [(-5, 0), (10**9, logging.CRITICAL), (20, 20)])
def test_levels_stay_within_the_known(given: int, level: int, desk: Desk) -> None:
    """A level is a number from outside."""
    desk.write(level=given)

    assert desk.records[0].level == level


def test_raw_output_is_lines_under_the_best_known_name(desk: Desk) -> None:
    """Bad UTF-8 and empty lines do no harm."""
    desk.sink.write_output("games", "chat.dice", b"one\n\n  \ntw\xffo\r\nthree")
    desk.sink.write_output("games", "", b"who knows", level=logging.WARNING)

    assert [(record.plugin_id, record.text) for record in desk.records] == [
        ("chat.dice", "one"),
        ("chat.dice", "tw\ufffdo"),
        ("chat.dice", "three"),
        ("", "who knows"),
    ]
    assert desk.records[-1].level == logging.WARNING


def test_a_flood_is_dropped_and_the_drops_are_said(desk: Desk) -> None:
    """Above the burst nothing passes until time does; then the count comes first. Another shard is not touched."""
    for _ in range(700):
        desk.write("x" * 8000)
    passed = len(desk.records)
    desk.sink.write_output("others", "", b"me too")
    desk.now = 1.0
    desk.write("again")

    assert passed == LOG_BURST // (8000 + len("plugin.chat.dice"))
    assert [record.text for record in desk.records[passed:]] == [
        "me too",
        f"{700 - passed} lines of shard 'games' were dropped: it writes more than 1 MiB a second",
        "again",
    ]


def test_drops_are_said_when_the_runner_is_gone(desk: Desk) -> None:
    """A flood may end with its runner."""
    for _ in range(600):
        desk.write("x" * 8000)
    desk.sink.end("games")
    desk.sink.end("games")
    desk.sink.end("unknown")

    assert [record.text.split(" ", 1)[1] for record in desk.records if "dropped" in record.text] == [
        "lines of shard 'games' were dropped: it writes more than 1 MiB a second"
    ]


def test_an_allowance_never_exceeds_its_burst() -> None:
    """However long nothing was written."""
    allowance = Allowance(LOG_RATE, LOG_BURST, LOG_BURST, 0.0)

    assert allowance.take(LOG_BURST, 1e6)
    assert not allowance.take(1, 1e6)
    assert allowance.take(LOG_RATE, 1e6 + 1)
