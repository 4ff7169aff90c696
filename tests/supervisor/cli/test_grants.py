"""`rookery grants` is a table that says what to do; without a running bot the files are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.supervisor.cli import run_command_line
from rookery.supervisor.cli.grants import table
from tests.doubles.deployments import write_config, write_plugin


def test_each_thing_that_is_asked_for_is_a_row() -> None:
    """In columns, with the remark last."""
    asks = [
        {"name": "send.*", "verdict": "in part", "remark": "send.text"},
        {"name": "llm.embed", "verdict": "granted", "remark": ""},
    ]

    lines = table([{"plugin_id": "a.b", "trust": "guest", "shard": "s", "asks": asks}])

    assert lines == [
        "PLUGIN  TRUST  SHARD  ASKS FOR   VERDICT  REMARK",
        "a.b     guest  s      send.*     in part  send.text",
        "a.b     guest  s      llm.embed  granted",
    ]


def test_a_bot_that_does_not_run_is_read_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would hold if it ran now; nothing is written."""
    monkeypatch.chdir(tmp_path)
    write_plugin(tmp_path, "a.dice", capabilities=["send.text"])
    write_config(
        tmp_path,
        'rookery = {plugin_dirs = ["plugins"], state_dir = "state"}\n'
        '[[shard]]\nname = "s"\nplugins = ["a.dice"]\ntrust = "guest"\n',
    )

    code = run_command_line(["grants", "--json"])
    [row] = json.loads(capsys.readouterr().out)
    approved = run_command_line(["grants", "approve", "a.dice"])

    assert (code, approved) == (0, 0)
    assert row["asks"][0]["verdict"] == "withheld"
    assert "nothing of a.dice is held back" in capsys.readouterr().out
    assert not (tmp_path / "state").exists()


def test_a_mistake_in_the_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every command tells it."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, '[rookery]\nstate_dir = "state"\n[grants]\nguest = 5\n')

    code = run_command_line(["grants"])

    assert code == 1
    assert "grants.guest: got 5" in capsys.readouterr().err
