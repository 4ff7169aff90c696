"""`rookery plan` shows where every plugin would live, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.supervisor.cli import run_command_line
from tests.doubles.deployments import write_config, write_plugin

CONFIG = """
rookery.name = "bot"
rookery.plugin_dirs = ["plugins"]
[[shard]]
name = "games"
plugins = ["a.dice", "a.karma"]
capacity = 5
[[shard]]
name = "spare"
[plugins."a.off"]
enabled = false
[plugins."a.karma"]
weight = 2
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment with two shards, one of them without a plugin."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    for name in ("a.dice", "a.karma", "a.off"):
        write_plugin(tmp_path, name)
    return write_config(tmp_path, CONFIG)


def test_the_table_has_shards_plugins_and_reasons(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shard's name stands once."""
    code = run_command_line(["plan", str(config)])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].startswith("bot: policy explicit, state in /state/rookery/bot")
    assert lines[1:] == [
        "",
        "SHARD  TRUST    PLUGIN   WHY",
        "games  trusted  a.dice   The configuration names this shard for it.",
        "                a.karma  The configuration names this shard for it.",
        "spare  trusted  -        No plugin: nothing is started for it.",
        "",
        "SHARD  GROUP    SIGNIFICANCE  RESTART    A CRASH LOOP IS GIVEN UP    THEN",
        "games  plugins  optional      permanent  after 4.0 s and 5 restarts  one attempt after 300 s, doubling up to 3600 s",
        "",
        "GROUP    STRATEGY     RESTARTS    STARTS AT ONCE  AUTO SHUTDOWN  SHARDS",
        "plugins  one_for_one  3 in 300 s  4               never          games",
        "",
        "disabled: a.off",
    ]


def test_verbose_shows_what_each_shard_is_allowed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Restart policy and time-outs as they are in effect."""
    run_command_line(["plan", str(config), "--verbose"])

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    games, spare = lines.index("shard games"), lines.index("shard spare")
    assert lines[games + 1 : games + 3] == ["plugin_dirs -", "capacity 5"]
    assert lines[spare + 2] == "capacity -"
    for line in (
        "terminal no",
        "restart.mode permanent",
        "restart.burst_window 60",
        "timeouts.hello 5",
        "health.hang_timeout 15",
        "limits.rss_soft 805306368",
        "group plugins",
        "order -",
        "an instant crash loop is given up after 4.0 s and 5 restarts",
    ):
        assert line in lines


def test_json_has_everything(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each plugin with its version, source, weight and reason."""
    code = run_command_line(["plan", str(config), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["name"], found["policy"], found["disabled"], found["ok"]) == (
        "bot",
        "explicit",
        ["a.off"],
        True,
    )
    games, spare = found["shards"]
    assert (games["name"], games["trust"], games["capacity"]) == ("games", "trusted", 5)
    assert games["restart"]["mode"] == "permanent"
    assert games["give_up"]["never_from"] == 200.0
    assert [(group["name"], group["shards"]) for group in found["groups"]] == [("plugins", ["games"])]
    assert spare["plugins"] == []
    assert games["plugins"][1] == {
        "id": "a.karma",
        "version": "1.0.0",
        "source": "dir",
        "path": str(config.parent / "plugins" / "a.karma"),
        "weight": 2,
        "reason": "The configuration names this shard for it.",
    }


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_without_a_plan_there_are_mistakes(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, so that nobody takes them for a plan; as JSON with `ok` false."""
    write_config(tmp_path, "[pipeline]\ndedupe_ttl = -1")

    code = run_command_line(["plan", str(tmp_path), *options])

    captured = capsys.readouterr()
    assert code == 1
    assert "dedupe_ttl" in (captured.out if options else captured.err)
    assert "dedupe_ttl" not in (captured.err if options else captured.out)
    assert not options or json.loads(captured.out)["ok"] is False
