"""`rookery check` prints every mistake and says by its exit code whether there is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.supervisor.cli import run_command_line
from tests.doubles.deployments import write_config, write_plugin

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("example", "told"),
    [("chatbot", "10 plugins in 5 shards"), ("irc/rookery.toml", "10 plugins in 3 shards")],
)
def test_an_example_has_no_mistake(example: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory or a file."""
    code = run_command_line(["check", str(EXAMPLES / example)])

    out = capsys.readouterr().out
    assert code == 0
    assert f"rookery.toml: {told}, no mistakes" in out


def test_only_shards_that_will_be_started_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy may make more shards than there are plugins; `rookery run` starts none for nothing."""
    write_plugin(tmp_path, "a.dice")
    config = write_config(
        tmp_path, 'rookery.plugin_dirs = ["plugins"]\nplacement = {policy = "spread", shards = 4}'
    )

    code = run_command_line(["check", str(config)])

    assert code == 0
    assert "rookery.toml: 1 plugin in 1 shard, no mistakes" in capsys.readouterr().out


def test_every_mistake_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the configuration and of the plugins; without an argument it is the file of this directory."""
    monkeypatch.chdir(tmp_path)
    write_plugin(tmp_path, "a.dice", code="def")
    write_config(tmp_path, 'rookery.plugin_dirs = ["plugins"]\n[pipeline]\ndedupe_ttl = -1')

    code = run_command_line(["check"])

    assert code == 1
    assert capsys.readouterr().out.splitlines() == [
        "rookery.toml",
        "  pipeline.dedupe_ttl: got -1, expected a number from 0 up",
        "  plugins.\"a.dice\".shard: got nothing, and policy 'explicit' places only what is named for a shard, expected "
        "the name of a shard; add it to the plugins of a [[shard]], disable it, or let a policy place it: [placement] "
        "policy = 'spread', shards = 2",
        "",
        "plugins/a.dice/plugin.py",
        "  line 1: this is not Python: invalid syntax: def",
        "",
        "3 mistakes in 2 files",
    ]


def test_json_has_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the same mistakes, part by part."""
    config = write_config(tmp_path, "[pipeline]\ndedupe_ttl = -1")

    code = run_command_line(["check", str(tmp_path), "--json"])

    assert code == 1
    assert json.loads(capsys.readouterr().out) == {
        "config": str(config),
        "ok": False,
        "warnings": [],
        "mistakes": [
            {
                "file": str(config),
                "key": "pipeline.dedupe_ttl",
                "given": "-1",
                "expected": "a number from 0 up",
                "advice": "",
            }
        ],
    }


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not a traceback."""
    code = run_command_line(["check", str(tmp_path / "nothing.toml")])

    assert code == 1
    assert "nothing.toml\n  there is no such file; give the path" in capsys.readouterr().out


def test_a_warning_is_printed_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line above the verdict; with `--json` beside the mistakes."""
    monkeypatch.chdir(tmp_path)
    write_plugin(tmp_path, "a.dice", capabilities=["send.text"])
    shard = '[[shard]]\nname = "s"\nplugins = ["a.dice"]\ntrust = "untrusted"\nown_user = false\n'
    write_config(tmp_path, f'rookery.plugin_dirs = ["plugins"]\n{shard}')

    code = run_command_line(["check"])
    told = capsys.readouterr().out.splitlines()
    run_command_line(["check", "--json"])
    [warning] = json.loads(capsys.readouterr().out)["warnings"]

    assert code == 0
    assert told[0].startswith("rookery.toml: warning: grants.untrusted: a.dice asks in its manifest for")
    assert told[-1] == "rookery.toml: 1 plugin in 1 shard, no mistakes, 1 warning"
    assert warning["advice"] == 'to grant it, write [grants.untrusted] allow = ["send.text"]'
