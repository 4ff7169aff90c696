"""A text calls a command by name, by alias or by pattern, in this order."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import ComponentDeclaration
from rookery.supervisor.commands import MAX_PATTERN_TEXT, CommandMatch, CommandTable
from rookery.supervisor.component import Command
from rookery.supervisor.declaration import make_component


def _command(place: str, **metadata: Any) -> Command:
    plugin_id, _, name = place.rpartition(".")
    declared = ComponentDeclaration(name=name, component_type="COMMAND", metadata=metadata)
    command = make_component(declared, plugin_id=plugin_id, shard="one", is_trusted=True, path="")
    assert isinstance(command, Command)
    return command


def _match(table: CommandTable, text: str) -> CommandMatch | None:
    return table.match(text, lambda command: command.enabled)


ROLL = _command("p.dice.roll", command_name="roll", aliases=["/r", "würfle"])
HELP = _command("p.help.help", command_name="help")
ADD = _command("p.maths.add", command_pattern=r"(?P<a>\d+) ?\+ ?(?P<b>\d+)?")
TABLE = CommandTable((ROLL, HELP, ADD), "!")


@pytest.mark.parametrize(
    ("text", "command", "args"),
    [
        pytest.param("!roll", ROLL, "", id="a name"),
        pytest.param("!roll  2d6 now ", ROLL, "2d6 now", id="a name with arguments"),
        pytest.param("!roll\n2d6\nnow", ROLL, "2d6\nnow", id="arguments on the next line"),
        pytest.param("!roll\t6", ROLL, "6", id="a tabulator between"),
        pytest.param("!ROLL 6", ROLL, "6", id="a name in capitals"),
        pytest.param("/r 6", ROLL, "6", id="an alias"),
        pytest.param("/r6", ROLL, "6", id="an alias needs no space"),
        pytest.param("würfle bitte", ROLL, "bitte", id="an alias that is a word"),
        pytest.param("what is 1+2", ADD, "what is 1+2", id="a pattern anywhere"),
    ],
)
def test_a_text_calls_a_command(text: str, command: Command, args: str) -> None:
    """With what follows it; a pattern gets the whole text."""
    match = _match(TABLE, text)

    assert match is not None
    assert (match.command, match.args) == (command, args)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("roll", id="no prefix"),
        pytest.param("!rolls", id="a longer word"),
        pytest.param("! roll", id="a prefix and a gap"),
        pytest.param("!", id="a prefix alone"),
        pytest.param("", id="nothing"),
        pytest.param("say !roll", id="a prefix in the middle"),
        pytest.param("!p.dice.roll", id="a full name"),
    ],
)
def test_other_texts_call_nothing(text: str) -> None:
    """They are talk."""
    assert _match(TABLE, text) is None


def test_a_pattern_gives_its_groups() -> None:
    """Those that took no part are None."""
    match = _match(TABLE, "7 + ")

    assert match is not None
    assert match.groups == {"a": "7", "b": None}


def test_without_a_prefix_the_first_word_is_the_name() -> None:
    """For a bot that only talks commands."""
    match = _match(CommandTable((ROLL,), ""), "roll 6")

    assert match is not None
    assert (match.command, match.args) == (ROLL, "6")


def test_a_command_that_may_not_be_used_leaves_its_name_to_the_next() -> None:
    """Of the same name, in the total order."""
    off = _command("p.a.roll", command_name="roll", enabled=False)

    match = _match(CommandTable((off, ROLL), "!"), "!roll")

    assert match is not None
    assert match.command is ROLL


def test_names_go_before_aliases_and_aliases_before_patterns() -> None:
    """However the plugins are called."""
    pattern = _command("p.a.x", command_pattern="!roll")
    alias = _command("p.b.x", aliases=["!roll"])
    name = _command("p.c.x", command_name="roll")

    assert [
        match.command
        for table in ([pattern, alias, name], [pattern, alias], [pattern])
        if (match := _match(CommandTable(tuple(table), "!"), "!roll"))
    ] == [name, alias, pattern]


def test_of_several_aliases_the_first_in_the_order_is_called() -> None:
    """Not the longest; one that does not serve this chat is passed over."""
    off = _command("p.a.off", aliases=["/ro"], enabled=False)
    short = _command("p.b.short", aliases=["x", "/r", "/ro"])
    long = _command("p.c.long", aliases=["/roll", "/r"])
    table = CommandTable((off, short, long), "!")

    match = _match(table, "/roll 6")

    assert match == CommandMatch(short, "oll 6", {})
    assert _match(CommandTable((long,), "!"), "/roll 6") == CommandMatch(long, "6", {})
    assert _match(CommandTable((long,), "!"), "/ 6") is None


def test_a_hidden_command_is_told() -> None:
    """The first of a name has it; each other is shadowed by it."""
    second, third = _command("p.x.roll", command_name="Roll"), _command("p.y.roll", command_name="roll")

    shadowed = CommandTable((ROLL, second, third, HELP), "!").shadowed

    assert [(each.name, each.command, each.by) for each in shadowed] == [
        ("roll", second, ROLL),
        ("roll", third, ROLL),
    ]


def test_a_pattern_looks_at_the_beginning_of_a_long_text() -> None:
    """A command is not longer, and the search costs time of the host."""
    near, far = "x" * (MAX_PATTERN_TEXT - 3) + "1+2", "x" * MAX_PATTERN_TEXT + "1+2"

    assert _match(TABLE, near) is not None
    assert _match(TABLE, far) is None
