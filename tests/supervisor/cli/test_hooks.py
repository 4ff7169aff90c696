"""Does `rookery hooks` tell an author everything that a handler needs to know?"""

from __future__ import annotations

import json

from click.testing import CliRunner

from rookery.supervisor.cli.hooks import command
from rookery.supervisor.hook_catalogue import APPLICATION_HOOKS, CATALOGUE


def test_hooks_are_listed_with_arguments_and_rights() -> None:
    """One after the other; those of applications only when they are asked for."""
    said = CliRunner().invoke(command, []).output

    assert "chat.command.after_execute\n" in said
    assert "arguments: message, command_name (read-only), plugin_id (read-only)" in said
    assert "a handler may change its arguments and abort\n" in said
    assert "a handler may only look; 5 s for a handler\n" in said
    assert "maisaka" not in said


def test_json_has_all_of_them() -> None:
    """And says who fires each."""
    said = json.loads(CliRunner().invoke(command, ["--all", "--json"]).output)

    assert [each["name"] for each in said] == [spec.name for spec in (*CATALOGUE, *APPLICATION_HOOKS)]
    assert {each["fired_by"] for each in said} == {"application", "pipeline"}
    assert said[0]["parameters"] == {"type": "object", "properties": {"message": {"type": "object"}}}
