"""A plugin's class knows its configuration and says early what cannot be."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from rookery.runner import DeclarationError, Plugin, PluginConfig

_C = TypeVar("_C", bound=PluginConfig)


class Settings(PluginConfig):
    most: int = 3


class Prepared(Plugin[_C]): ...


def test_the_configuration_class_is_read_off_the_base() -> None:
    """Plain, given, inherited, and given by way of a prepared class."""

    class Plain(Plugin): ...

    class Given(Plugin[Settings]): ...

    class Inherited(Given): ...

    class ByWay(Prepared[Settings]): ...

    assert [cls.config_class for cls in (Plain, Given, Inherited, ByWay)] == [
        PluginConfig,
        Settings,
        Settings,
        Settings,
    ]


def test_what_is_no_configuration_class_is_refused() -> None:
    """The error says what to write."""
    with pytest.raises(DeclarationError, match=r"Wrong: Plugin\[…\] takes a class derived from PluginConfig"):

        class Wrong(Plugin[dict[str, Any]]): ...  # type: ignore[type-var]  # the mistake


def test_the_names_of_the_plugin_itself_are_taken() -> None:
    """A method called config would hide the configuration."""
    with pytest.raises(DeclarationError, match=r"Wrong\.config: this name belongs to Plugin"):

        class Wrong(Plugin):
            def config(self) -> None: ...  # type: ignore[override]  # the mistake


@pytest.mark.parametrize("name", ["ctx", "config"])
def test_there_is_no_context_before_loading(name: str) -> None:
    """The error says where it can be used."""

    class Early(Plugin):
        def __init__(self) -> None:
            getattr(self, name)

    with pytest.raises(
        RuntimeError, match=rf"Early\.{name} is not there in __init__: use it from on_load on"
    ):
        Early()
