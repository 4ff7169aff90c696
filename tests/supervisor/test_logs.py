"""What shards write arrives under a name that is theirs, in bounds."""

from __future__ import annotations

import logging
import time

import pytest

from rookery.protocol import BadPayload, LogBatch, LogEntry
from rookery.supervisor.limits import MIB, ShardLimits
from rookery.supervisor.logs import LINE_COST, MAX_ENTRY_BYTES, MOST_AT_ONCE, MOST_ENTRIES, LogSink
from rookery.supervisor.observers import LogWritten, Observers

PLUGINS = ("chat.dice", "chat.dice.more")


class Desk:
    """A sink, what it told observers, and a clock to turn."""

    def __init__(self) -> None:
        self.now = 0.0
        self.records: list[LogWritten] = []
        observers = Observers()
        observers.add(self._take)
        self.limits = ShardLimits()
        self.sink = LogSink(observers, limits=lambda _: self.limits, clock=lambda: self.now)

    def _take(self, record: object) -> None:
        assert isinstance(record, LogWritten)
        self.records.append(record)

    def pass_time(self, seconds: int) -> None:
        """As in a host, which looks once a second."""
        for _ in range(seconds):
            self.now += 1
            self.sink.tell_drops()

    @property
    def told(self) -> list[str]:
        """What was said about drops."""
        return [record.text for record in self.records if " dropped: " in record.text]

    def write(self, message: str = "hello", logger: str = "plugin.chat.dice", **fields: object) -> None:
        told = {"timestamp_ms": 0, "level": logging.INFO, "logger_name": logger, "message": message}
        entry = LogEntry(**{**told, **fields})  # type: ignore[arg-type]
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("x" * 10_000, "x" * 8192 + "… (10000 bytes)", id="one line"),
        pytest.param("é" * 5000, "é" * 4096 + "… (10000 bytes)", id="by bytes, and no half character"),
        pytest.param("a\n" + "x" * 9000 + "\nb", "a\n" + "x" * 8192 + "… (9000 bytes)\nb", id="one of many"),
        pytest.param("x" * 8192, "x" * 8192, id="just as long as may be"),
    ],
)
def test_a_long_line_is_cut_and_says_so(text: str, shown: str, desk: Desk) -> None:
    """Nobody reads a line of a hundred megabytes. Raw output is cut as well."""
    desk.write(text)
    desk.sink.write_output("games", "", text.encode())

    assert desk.records[0].text == shown
    assert "\n".join(record.text for record in desk.records[1:]) == shown


def test_an_entry_of_endless_lines_is_cut(desk: Desk) -> None:
    """Each line is short, and there are millions of them."""
    desk.write("a\n" * MAX_ENTRY_BYTES)

    assert len(desk.records[0].text) < MAX_ENTRY_BYTES + 100
    assert desk.records[0].text.endswith(f"… ({2 * MAX_ENTRY_BYTES} characters)")


@pytest.mark.parametrize(("given", "level"), [(-5, 0), (10**9, logging.CRITICAL), (20, 20)])
def test_levels_stay_within_the_known(given: int, level: int, desk: Desk) -> None:
    """A level is a number from outside."""
    desk.write(level=given)

    assert desk.records[0].level == level


@pytest.mark.parametrize(
    ("earlier", "is_believed"),
    [(0.25, True), (30.0, True), (3600.0, False), (-3600.0, False)],
)
def test_an_entry_has_the_time_at_which_it_was_written(
    earlier: float, is_believed: bool, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have waited in its runner; a time that is far off is a claim, and the host's own is taken."""
    now = time.time()

    desk.write(timestamp_ms=int(1000 * (now - earlier)))

    [record] = caplog.records
    assert (abs(record.created - (now - earlier)) < 0.01) is is_believed
    assert abs(record.created - now) < 40


def test_raw_output_is_lines_under_the_best_known_name(desk: Desk) -> None:
    """Bad UTF-8, zeros, colours and empty lines do no harm."""
    desk.sink.write_output("games", "chat.dice", b"one\n\n  \ntw\xffo\r\n\0\x1b[31mthr\xc3\xa9e")
    desk.sink.write_output("games", "", b"who knows", level=logging.WARNING)

    assert [(record.plugin_id, record.text) for record in desk.records] == [
        ("chat.dice", "one"),
        ("chat.dice", "tw\\xffo"),
        ("chat.dice", "\\x00\\x1b[31mthrée"),
        ("", "who knows"),
    ]
    assert desk.records[-1].level == logging.WARNING


def test_a_flood_is_dropped_and_told_once_when_it_is_over(desk: Desk) -> None:
    """Above the burst nothing passes until time does. Another shard is not touched."""
    for _ in range(700):
        desk.write("x" * 8000)
    passed = len(desk.records)
    desk.sink.write_output("others", "", b"me too")
    desk.pass_time(3)
    desk.write("again")

    assert passed == 4 * MIB // (8000 + LINE_COST)
    assert [record.text for record in desk.records[passed:]] == [
        "me too",
        f"{700 - passed} lines of shard 'games' dropped: it writes too much at once, see limits.log_rate and log_burst",
        "again",
    ]
    assert desk.sink.dropped_of("games") == 700 - passed
    assert desk.sink.dropped_of("others") == 0


@pytest.mark.slow
def test_a_flood_that_lasts_is_told_now_and_then(desk: Desk) -> None:
    """Not for each line that passes between two that do not, and not only when it is over after hours."""
    for _ in range(60):
        desk.sink.tell_drops()
        for _ in range(2):
            desk.now += 0.5
            for _ in range(300):
                desk.write("x" * 8000)

    assert 4 <= len(desk.told) <= 6


@pytest.mark.slow
def test_short_lines_are_not_free(desk: Desk) -> None:
    """A line costs time and a row in the file, whatever is in it; one piece costs milliseconds at most."""
    desk.sink.write_output("games", "", b"y\n" * 32_768)
    at_once = len(desk.records)
    for _ in range(100):
        desk.sink.write_output("games", "", b"y\n" * 32_768)
    desk.pass_time(1)

    assert at_once == MOST_AT_ONCE
    assert len(desk.records) - 1 == 4 * MIB // (LINE_COST + 1)
    assert desk.sink.dropped_of("games") == 101 * 32_768 + 99 - (len(desk.records) - 1) - 19


def test_of_a_batch_that_is_too_long_the_rest_is_not_looked_at(desk: Desk) -> None:
    """It is dropped and counted, whatever it is."""
    entry = {"timestamp_ms": 0, "level": 20, "logger_name": "", "message": "hello"}
    entries: list[object] = [entry] * MOST_ENTRIES
    desk.sink.take_batch("games", PLUGINS, {"entries": [*entries, "no entry", *entries]})

    assert len(desk.records) == MOST_ENTRIES
    assert desk.sink.dropped_of("games") == MOST_ENTRIES + 1


@pytest.mark.parametrize("payload", [{}, {"entries": "none"}, {"entries": [1]}])
def test_what_is_no_batch_is_refused(desk: Desk, payload: dict[str, object]) -> None:
    """With the place of the mistake."""
    with pytest.raises(BadPayload, match="entries"):
        desk.sink.take_batch("games", PLUGINS, payload)


def test_the_limits_are_the_shards_own(desk: Desk) -> None:
    """A rate of 0 is no limit."""
    desk.limits = ShardLimits(log_rate=0, log_line_bytes=80)
    for _ in range(100):
        desk.sink.write_output("games", "", b"x" * 100_000)

    assert {record.text for record in desk.records} == {"x" * 80 + "… (100000 bytes)"}
    assert (len(desk.records), desk.sink.dropped_of("games")) == (100, 0)


def test_drops_are_said_when_the_runner_is_gone(desk: Desk) -> None:
    """A flood may end with its runner."""
    for _ in range(600):
        desk.write("x" * 8000)
    desk.sink.end("games")
    desk.sink.end("games")
    desk.sink.end("unknown")

    assert len(desk.told) == 1
