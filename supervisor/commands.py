"""Which command does a text call?

A message that begins with the prefix calls the command named by the word behind it. Aliases are texts that a message
begins with; patterns are regular expressions searched in it. Names go before aliases, aliases before patterns; within
each the total order decides, and whatever it hides is told to the operator.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import attrs

from .component import Command

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_PATTERN_TEXT = 2000
"""Characters of a message that patterns look at; a command is not longer."""


@attrs.frozen
class CommandMatch:
    """A command that a text calls."""

    command: Command
    args: str
    """What follows the name or alias, stripped; the whole text for a pattern."""
    groups: dict[str, str | None]
    """The named groups of a pattern."""


@attrs.frozen
class Shadowed:
    """A command that cannot be called by a name because another plugin's comes first."""

    name: str
    command: Command
    by: Command


class CommandTable:
    """The commands of the tree, looked up by text.

    Args:
        commands: In the total order.
        prefix: What a message begins with to call a command by name; "" makes the first word the name.
    """

    def __init__(self, commands: tuple[Command, ...], prefix: str) -> None:
        self.commands = commands
        self.prefix = prefix
        self._names: dict[str, list[Command]] = {}
        self._aliases: dict[str, list[tuple[int, Command]]] = {}
        """With the place of each among all."""
        self._patterns: list[Command] = []
        places = count()
        for command in commands:
            if command.command_name:
                self._names.setdefault(command.command_name, []).append(command)
            for alias in command.aliases:
                self._aliases.setdefault(alias, []).append((next(places), command))
            if command.pattern is not None:
                self._patterns.append(command)
        self._lengths = sorted(set(map(len, self._aliases)))

    @property
    def shadowed(self) -> tuple[Shadowed, ...]:
        return tuple(
            Shadowed(name, loser, by=found[0]) for name, found in self._names.items() for loser in found[1:]
        )

    def match(self, text: str, serves: Callable[[Command], bool]) -> CommandMatch | None:
        """The command that a message calls.

        Args:
            serves: Whether a command may be used in this chat.
        """
        if text.startswith(self.prefix):
            name, args = _first_word(text[len(self.prefix) :])
            for command in self._names.get(name.casefold(), ()):
                if serves(command):
                    return CommandMatch(command, args, {})
        for _, length, command in self._begun_by(text):
            if serves(command):
                return CommandMatch(command, text[length:].strip(), {})
        for command in self._patterns:
            found = command.pattern.search(text[:MAX_PATTERN_TEXT]) if command.pattern else None
            if found and serves(command):
                return CommandMatch(command, text, found.groupdict())
        return None

    def _begun_by(self, text: str) -> list[tuple[int, int, Command]]:
        """The aliases that a text begins with, by their places: a look-up for each length that an alias has."""
        found: list[tuple[int, int, Command]] = []
        for length in self._lengths:
            if length > len(text):
                break
            for place, command in self._aliases.get(text[:length], ()):
                found.append((place, length, command))  # there is none, as a rule
        if len(found) > 1:
            found.sort()
        return found


def _first_word(text: str) -> tuple[str, str]:
    """The word that the text begins with, and what follows it; no word where it begins with a blank."""
    words = text.split(maxsplit=1)
    if not words or text[0].isspace():
        return "", text
    return words[0], words[1].rstrip() if len(words) > 1 else ""
