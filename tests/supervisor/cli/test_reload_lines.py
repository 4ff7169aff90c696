"""What a person reads of a reload: on the terminal of the bot, and as the answer to an order."""

from __future__ import annotations

import logging

import pytest

from rookery.supervisor.cli.config import parsed
from rookery.supervisor.cli.lines import line_of
from rookery.supervisor.cli.reload import report_reload
from rookery.supervisor.observers import PluginReloaded, PluginReloadFailed
from rookery.supervisor.reload_result import ReloadResult


def test_what_runs_now_is_a_line_and_what_failed_a_warning() -> None:
    """Both are on the terminal."""
    done = line_of(PluginReloaded(shard="s", plugin_id="a.b", version="1.2.0", reason="manual"))
    failed = line_of(PluginReloadFailed(shard="s", plugin_id="a.b", error="SyntaxError: …", reason="manual"))

    assert done is not None
    assert (done.text, done.shown) == ("plugin a.b runs its newer code, version 1.2.0", True)
    assert failed is not None
    assert (failed.text, failed.level) == ("plugin a.b was not reloaded: SyntaxError: …", logging.WARNING)


def test_each_plugin_of_an_order_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What was reloaded, unloaded, or has to wait is no failure."""
    result = ReloadResult(requested=("a.b",), reloaded=["a.b"], inactive=["a.c"], pending={"a.d": "later"})

    report_reload(result.as_json())

    assert result
    assert capsys.readouterr().out.splitlines() == [
        "a.b reloaded",
        "a.c unloaded: it, or what it needs, is switched off",
        "a.d not loaded now: later",
    ]


def test_a_failure_ends_the_command_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """After every line, and nothing in it that a terminal would obey."""
    result = ReloadResult(requested=("a.b",), failed={"a.b": "no\x1b[2J"})

    with pytest.raises(SystemExit) as ended:
        report_reload(result.as_json())

    assert not result
    assert ended.value.code == 1
    assert capsys.readouterr().out == "a.b not reloaded: no\\x1b[2J\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"5"', "5"),
        ("a text", "a text"),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_a_value_on_the_command_line_is_toml_or_a_text(text: str, value: object) -> None:
    """So that a number needs no quotes, and neither does a word."""
    assert parsed(text) == value
