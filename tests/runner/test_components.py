"""The table of components is complete, in order, and knows every name once."""

from __future__ import annotations

import pytest

from rookery.runner import DeclarationError, Plugin, command, tool
from rookery.runner.components import collect_components


class Parent(Plugin):
    @command("one")
    async def one(self) -> str:
        return "one"

    @command("two")
    async def two(self) -> str:
        return "two"


class Child(Parent):
    async def two(self) -> str:
        return "not a command any more"

    @command("three")
    @command("four")
    async def three(self) -> str:
        return "three"


def test_components_are_inherited_until_they_are_overridden() -> None:
    """A method that is written anew says itself what it is; two decorators make two components, read downwards."""
    assert list(collect_components(Child())) == ["one", "three", "four"]


def test_two_components_of_one_name_are_refused() -> None:
    """The host would keep only one of them."""

    class Twice(Plugin):
        @command("roll")
        async def first(self) -> None: ...

        @command("roll")
        async def second(self) -> None: ...

    with pytest.raises(
        DeclarationError, match=r"Twice\.second: two COMMANDs of Twice are called 'roll'.*another name"
    ):
        collect_components(Twice())


def test_a_name_is_taken_for_every_type() -> None:
    """The host knows a plugin's components by name alone."""

    class Mixed(Plugin):
        @command("roll")
        @tool("roll")
        async def roll(self) -> None: ...

    with pytest.raises(DeclarationError, match="a TOOL and a COMMAND of Mixed are called 'roll'"):
        collect_components(Mixed())
