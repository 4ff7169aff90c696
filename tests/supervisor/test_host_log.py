"""The file gets everything, the terminal what matters, and a full disk one line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from rookery.supervisor.errors import UsageError
from rookery.supervisor.host_log import SHOWN, one_line, open_host_log

logger = logging.getLogger("rookery.test")


class Shown(list[tuple[str, int]]):
    def __call__(self, text: str, level: int) -> None:
        self.append((text, level))


def test_the_file_gets_everything_and_the_terminal_what_matters(tmp_path: Path) -> None:
    """Below the level nothing is kept; warnings and marked lines are shown."""
    shown = Shown()

    with open_host_log(tmp_path, shown, level=logging.INFO) as log:
        logger.debug("too small")
        logger.info("kept")
        logger.info("kept and shown", extra=SHOWN)
        logger.warning("a %s", "warning")

    texts = [line.partition("rookery.test: ")[2] for line in log.path.read_text().splitlines()]
    assert texts == ["kept", "kept and shown", "a warning"]
    assert shown == [("kept and shown", logging.INFO), ("a warning", logging.WARNING)]


def test_the_log_ends_with_its_block(tmp_path: Path) -> None:
    """The process's logging is as it was before."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)

    with open_host_log(tmp_path, Shown()):
        pass

    assert (root.level, list(root.handlers)) == before


def test_a_line_as_json(tmp_path: Path) -> None:
    """One object a line, with the exception when there was one."""
    with open_host_log(tmp_path, Shown(), as_json=True) as log:
        try:
            raise ValueError("boom")
        except ValueError:
            logger.exception("two\nlines")

    [line] = log.path.read_text().splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("ERROR", "rookery.test", "two\nlines")
    assert "ValueError: boom" in entry["exception"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """No traceback for each line, and the lines are still shown."""
    shown = Shown()
    (tmp_path / "log" / "rookery.log").mkdir(parents=True)

    with open_host_log(tmp_path, shown) as log:
        logger.warning("one")
        logger.warning("two")

    told = [text for text, _ in shown]  # that of the file comes from a thread, at any time
    assert [text for text in told if len(text) == 3] == ["one", "two"]
    assert len([text for text in told if "cannot be written: Is a directory" in text]) == 1
    assert len(told) == 3
    assert log.state.degraded
    assert log.state.lost == 2


def test_a_line_that_cannot_be_formatted_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whom it is, and without a traceback on the terminal; the next line is written."""
    shown = Shown()

    with open_host_log(tmp_path, shown) as log:
        # Not by the logger: pytest's own handler raises.
        [handler] = [each for each in logging.getLogger().handlers if getattr(each, "stream", None) is log]
        for text in ("%d", "%d", "a good one %s"):
            handler.handle(
                logging.LogRecord("rookery.test", logging.INFO, "x.py", 3, text, ("no number",), None)
            )

    assert len(shown) == 1
    assert "a line of rookery.test (x.py:3) cannot be logged" in shown[0][0]
    assert "a good one" in log.path.read_text()
    assert capsys.readouterr().err == ""


def test_a_directory_that_cannot_be_made_is_a_clear_mistake(tmp_path: Path) -> None:
    """One sentence before anything starts."""
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="cannot be made"), open_host_log(tmp_path / "file", Shown()):
        pass


def test_what_shards_write_is_for_the_file(tmp_path: Path) -> None:
    """Whether it is shown depends on more than its level."""
    shown = Shown()

    with open_host_log(tmp_path, shown) as log:
        logging.getLogger("rookery.plugin.chatbot.dice").warning("hot")
        logging.getLogger("rookery.shard.games").warning("cold")

    assert shown == []
    assert len(log.path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ready", "ready", id="one line"),
        pytest.param("it failed\nTraceback:\n  File x\nValueError: boom\n", "it failed … ValueError: boom", id="a traceback"),
        pytest.param("boom failed: ValueError: no\nTraceback:\nValueError: no", "boom failed: ValueError: no", id="told already"),
        pytest.param("it failed: Bad: no (x.py)\nTraceback:\na.b.Bad: no", "it failed: Bad: no (x.py)", id="told with a short name"),
        pytest.param("\n\n", "", id="nothing"),
    ],
)  # fmt: skip
def test_one_line_of_many(text: str, expected: str) -> None:
    """What is between the first and the last is in the file."""
    assert one_line(text) == expected
