"""Is an author told what to use instead of the code of a bot that is not here?"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import pytest

from rookery.runner.border import current_plugin
from rookery.runner.compat.bot_imports import BotCodeRefused, refuse_bot_imports


@pytest.fixture(autouse=True)
def refused() -> Iterator[None]:
    before = list(sys.meta_path)
    refuse_bot_imports()
    refuse_bot_imports()
    assert len(sys.meta_path) == len(before) + 1
    owner = current_plugin.set("")
    yield
    current_plugin.reset(owner)
    sys.meta_path[:] = before
    sys.modules.pop("src", None)


@pytest.mark.parametrize(
    ("module", "advice"),
    [
        ("src.plugin_system", "MaiBotPlugin"),
        ("src.common", "self.ctx.logger"),
        ("src.something", "maibot_sdk"),
    ],
)
def test_a_plugin_is_told_what_to_use(module: str, advice: str) -> None:
    """By the name that it asked for."""
    current_plugin.set("test.old")

    with pytest.raises(BotCodeRefused, match=advice) as refusal:
        importlib.import_module(module)

    assert "not here" in str(refusal.value)
    assert refusal.value.name == module


def test_a_name_of_the_package_is_refused_too() -> None:
    """``from src import …`` asks for a module, or for something in the package."""
    current_plugin.set("test.old")

    with pytest.raises(BotCodeRefused, match=r"src\.config"):
        exec("from src import config", {})


def test_others_are_not_hindered() -> None:
    """The host application may have a package of that name; a plugin of another name has nothing to do with it."""
    current_plugin.set("")
    with pytest.raises(ModuleNotFoundError) as missing:
        importlib.import_module("src")
    assert not isinstance(missing.value, BotCodeRefused)

    current_plugin.set("test.old")
    assert importlib.import_module("json").__name__ == "json"
