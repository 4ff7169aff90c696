"""A person reads one line for what happened, and none for what does not matter."""

from __future__ import annotations

import logging

import attrs
import pytest

from rookery.supervisor.cli.lines import Line, Teller, line_of
from rookery.supervisor.exit_report import ExitKind, ExitReport, Place
from rookery.supervisor.observers import (
    ComponentsWithheld,
    EnvironmentIncident,
    Escalated,
    EventDeadLettered,
    GroupRestarted,
    LogWritten,
    MessageLost,
    PluginIsolated,
    PluginNotLoaded,
    PluginQuarantined,
    PluginReleased,
    RunnerBack,
    RunnerDied,
    RunnerLost,
    RunnerRecovered,
    RunnerSuspect,
    ShardMoved,
)
from rookery.supervisor.shard_state import ShardState

REPORT = ExitReport(
    shard="games",
    incarnation=1,
    pid=4711,
    plugins=("chatbot.dice",),
    state=ShardState.READY,
    kind=ExitKind.SIGNAL,
    signal=9,
    started_at=0.0,
    ended_at=5.0,
)


def line(record: object) -> Line:
    found = line_of(record)
    assert found is not None
    return found


def test_a_death_says_what_died_and_when_it_is_back() -> None:
    """Shard, pid, cause and the time of the return, in one line."""
    told = line(RunnerDied(report=REPORT, next="back in 0.3 s", delay=0.3))

    for part in ('shard "games"', "4711", "SIGKILL", "; back in 0.3 s"):
        assert part in told.text
    assert told.level == logging.WARNING


def test_a_death_names_the_calls_that_failed_with_it() -> None:
    """What was lost belongs to the line."""
    told = line(RunnerDied(report=attrs.evolve(REPORT, in_flight=3), next="back in 0.3 s", delay=0.3))

    assert told.text.endswith("back in 0.3 s; 3 open calls failed with it")


@pytest.mark.parametrize(
    ("reason", "culprit", "told_of"),
    [
        pytest.param(
            "", "chatbot.dice", "SIGKILL; chatbot.dice is to blame; back", id="known from elsewhere"
        ),
        pytest.param(
            "it was chatbot.dice", "chatbot.dice", "(it was chatbot.dice); back", id="named already"
        ),
        pytest.param("", "", "SIGKILL; back", id="nobody knows"),
    ],
)
def test_a_death_names_who_is_to_blame(reason: str, culprit: str, told_of: str) -> None:
    """Once."""
    report = attrs.evolve(REPORT, reason=reason)

    told = line(RunnerDied(report=report, next="back at once", delay=0.0, culprit=culprit))

    assert told_of in told.text


@pytest.mark.parametrize(
    ("called", "named"),
    [
        (("a.a",), "1 open call of a.a failed with it"),
        (("a.a", "b.b", "c.c", "d.d"), "1 open call of a.a, b.b, c.c, … failed with it"),
    ],
)
def test_a_death_names_the_plugins_that_were_called(called: tuple[str, ...], named: str) -> None:
    """One of them may be to blame; a long row of them says nothing more."""
    told = line(
        RunnerDied(report=attrs.evolve(REPORT, in_flight=1, called=called), next="back at once", delay=0.0)
    )

    assert told.text.endswith(f"back at once; {named}")


@pytest.mark.parametrize(
    ("record", "texts", "level", "shown"),
    [
        pytest.param(
            RunnerSuspect(
                shard="games",
                incarnation=3,
                reason="its loop is blocked, for 3 s",
                place=Place(plugin_id="a.b", file="plugin.py", line=12, function="roll"),
            ),
            ['shard "games" #3 does not answer', "a.b was at plugin.py line 12, in roll"],
            logging.WARNING,
            False,
            id="a hang, before it is killed",
        ),
        pytest.param(
            RunnerRecovered(shard="games", incarnation=3), ["answers again"], logging.INFO, True, id="life again"
        ),
        pytest.param(
            ShardMoved(
                shard="games",
                incarnation=1,
                old=ShardState.LOADING,
                new=ShardState.READY,
                reason="",
                at=1.0,
                transition="T9",
            ),
            ["T9, LOADING to READY"],
            logging.DEBUG,
            False,
            id="a move, for the file",
        ),
        pytest.param(
            PluginIsolated(plugin_id="a.b", shard="games", to_shard="a-b", reason="its charges reached 3"),
            ["a.b", '"games"', '"a-b"', "reached 3"],
            logging.WARNING,
            False,
            id="isolated",
        ),
        pytest.param(
            PluginQuarantined(plugin_id="a.b", shard="a-b", seconds=60.0, reason="again"),
            ["quarantine for 1 m 00 s", "rookery release a.b"],
            logging.WARNING,
            False,
            id="quarantined, and how to end that",
        ),
        pytest.param(
            PluginReleased(plugin_id="a.b", shard="a-b"), ["another chance"], logging.INFO, True, id="released"
        ),
        pytest.param(
            ComponentsWithheld(
                shard="s",
                incarnation=1,
                plugin_id="a.b",
                capability="change.hooks",
                components=("filter",),
                reason="the operator has not allowed it",
            ),
            ["plugin a.b offers filter", "not used", "has not allowed it"],
            logging.WARNING,
            False,
            id="what a stranger may not offer",
        ),
        pytest.param(
            EventDeadLettered(event_id="m7", plugins=("a.b", "c.d"), reason="it ended 2 runners"),
            ["event m7", "a.b, c.d", "rookery events dead"],
            logging.WARNING,
            False,
            id="dead-lettered, and where it is",
        ),
        pytest.param(
            EnvironmentIncident(shards=("a", "b"), reason="2 of 2 shards died within seconds"),
            ["no plugin is blamed"],
            logging.WARNING,
            False,
            id="the environment",
        ),
        pytest.param(
            GroupRestarted(group="plugins", reason="x"), ['group "plugins"'], logging.WARNING, False, id="a group"
        ),
        pytest.param(Escalated(reason="x"), ["the host ends: x"], logging.ERROR, False, id="the end"),
        pytest.param(
            RunnerLost(shard="games", pid=9), ["process 9", "goes on without"], logging.ERROR, False, id="lost"
        ),
    ],
)  # fmt: skip
def test_what_is_decided_is_a_line_with_the_next_step(
    record: object, texts: list[str], level: int, shown: bool
) -> None:
    """Whose it is, what follows, and what an operator may type."""
    told = line(record)

    assert all(text in told.text for text in texts), told.text
    assert (told.level, told.shown) == (level, shown)


@pytest.mark.parametrize(
    ("planned", "delay", "level"),
    [
        pytest.param(True, None, logging.INFO, id="stopped as planned"),
        pytest.param(False, 0.3, logging.WARNING, id="it comes back"),
        pytest.param(False, None, logging.ERROR, id="it does not come back"),
    ],
)
def test_a_death_is_as_grave_as_what_follows(planned: bool, delay: float | None, level: int) -> None:
    """A planned end is for the file; an end for good is an error."""
    told = line(RunnerDied(report=attrs.evolve(REPORT, planned=planned), next="", delay=delay))

    assert told.level == level


@pytest.mark.parametrize(("after", "shown"), [(None, False), (0.4, False), (1.4, True)])
def test_a_return_is_told_when_it_was_awaited_for_long(after: float | None, shown: bool) -> None:
    """A quick restart is one line: the death."""
    told = line(RunnerBack(shard="games", incarnation=2, pid=4712, after=after))

    assert told.shown is shown
    assert told.level == logging.INFO


def test_a_lost_call_is_for_the_file() -> None:
    """Sixty lost calls of one death do not fill the terminal."""
    told = line(
        MessageLost(
            shard="games", plugin_id="a.b", component="roll", session_id="s", message_id="m", reason="dead"
        )
    )

    assert (told.level, told.shown) == (logging.INFO, False)


@pytest.mark.parametrize(("blocked", "words"), [(False, "did not load"), (True, "was not loaded")])
def test_a_plugin_that_is_not_there_is_a_warning(blocked: bool, words: str) -> None:
    """By name, with the reason."""
    told = line(
        PluginNotLoaded(
            shard="games", plugin_id="chatbot.dice", reason="SyntaxError: line 3", blocked=blocked
        )
    )

    assert told.text == f"plugin chatbot.dice {words}: SyntaxError: line 3"
    assert told.level == logging.WARNING


class Terminal(list[tuple[str, int]]):
    def __call__(self, text: str, level: int) -> None:
        self.append((text, level))


def moved(new: ShardState) -> ShardMoved:
    return ShardMoved(shard="games", incarnation=1, old=ShardState.IDLE, new=new, reason="", at=0.0)


def written(text: str, *, plugin_id: str = "", level: int = logging.WARNING) -> LogWritten:
    return LogWritten(shard="games", plugin_id=plugin_id, level=level, text=text, logger="x")


def not_loaded(reason: str) -> PluginNotLoaded:
    return PluginNotLoaded(shard="games", plugin_id="chatbot.dice", reason=reason, blocked=False)


def told(*records: object) -> list[str]:
    """What the terminal of a shard that is in the first state gets to read."""
    terminal = Terminal()
    tell = Teller(terminal)
    for record in records:
        tell(record)
    return [text for text, _ in terminal]


def test_a_plugins_warning_is_one_line_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """The terminal gets it; the file has it already from the log sink."""
    shown = told(
        moved(ShardState.READY),
        written("it failed\nTraceback\nValueError: boom", plugin_id="chatbot.dice", level=logging.ERROR),
        written("fine", plugin_id="chatbot.dice", level=logging.INFO),
    )

    assert shown == ["chatbot.dice: it failed … ValueError: boom"]
    assert caplog.records == []


def test_a_runner_that_cannot_start_is_not_quoted() -> None:
    """Its traceback would be twenty lines for each attempt; a runner that works may warn."""
    states = (ShardState.LOADING, ShardState.READY, ShardState.REAPING)

    shown = told(*(record for state in states for record in (moved(state), written(f"in {state.value}"))))

    assert shown == ['shard "games": in ready']


def test_a_warning_while_loading_waits_for_the_end_of_it() -> None:
    """It is shown when the shard is ready, and not when the shard died of something else."""
    warning = written("no terminal", plugin_id="chatbot.dice")

    ready = told(moved(ShardState.LOADING), warning, moved(ShardState.READY))
    dead = told(moved(ShardState.LOADING), warning, moved(ShardState.REAPING), moved(ShardState.READY))

    assert ready == ["chatbot.dice: no terminal"]
    assert dead == []


def test_a_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not by the plugin and the shard both, and not at each attempt; another reason is another failure."""
    caplog.set_level(logging.WARNING)
    attempt = [
        moved(ShardState.LOADING),
        written("the import failed: no x", plugin_id="chatbot.dice", level=logging.ERROR),
        not_loaded("no x"),
        moved(ShardState.READY),
    ]

    shown = told(*attempt, *attempt, not_loaded("no y"))

    assert shown == []
    assert caplog.messages == [f"plugin chatbot.dice did not load: no {name}" for name in "xy"]


def test_a_runner_that_ends_by_itself_has_the_last_word() -> None:
    """The last line of a traceback is its gist."""
    report = attrs.evolve(
        REPORT, kind=ExitKind.EXITED, signal=None, code=70, stderr_tail="Traceback\nImportError: no x\n"
    )

    told = line(RunnerDied(report=report, next="back at once", delay=0.0))

    assert told.text.endswith("exited by itself with code 70 (ImportError: no x); back at once")


def test_the_log_hears_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Each record with a line is logged at its level."""
    caplog.set_level(logging.DEBUG)

    Teller(Terminal())(moved(ShardState.LOADING))

    assert caplog.record_tuples == [("rookery.shards", logging.DEBUG, 'shard "games": IDLE to LOADING')]


def test_a_move_is_a_detail() -> None:
    """Eight of them make one start."""
    told = line(
        ShardMoved(
            shard="games", incarnation=1, old=ShardState.HELLO, new=ShardState.LOADING, reason="", at=0.0
        )
    )

    assert told.level == logging.DEBUG


def test_a_strange_record_is_no_line() -> None:
    """Records that come later need no change here."""
    assert line_of(object()) is None
