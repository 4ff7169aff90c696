"""What does a plugin get that imports modules of the bot it was written beside? A clear word instead of a missing module.

The bot's own code is ``src.…``. It is in no process of this host, so nothing could come of such an import; what the plugin
wanted there is offered by the SDK.
"""

from __future__ import annotations

import importlib.abc
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, NoReturn

from ..border import current_plugin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

ROOT = "src"

INSTEAD = {
    "src.plugin_system": "the decorators and MaiBotPlugin of maibot_sdk",
    "src.common": "self.ctx.logger for a log, self.ctx.db for rows",
    "src.config": "self.ctx.config",
    "src.chat": "self.ctx.send and self.ctx.message",
    "src.llm_models": "self.ctx.llm",
    "src.person_info": "self.ctx.person",
}
"""By the beginning of a module's name: what the SDK has for it."""


class BotCodeRefused(ImportError):
    """A plugin imports the code of a bot that is not here."""


class _Refusal(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands before every other finder. The package itself is an empty one, so that it is seen what is wanted of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != ROOT or not current_plugin.get():
            return None
        if fullname == ROOT:
            return ModuleSpec(ROOT, self, is_package=True)
        return _refuse(fullname)

    def exec_module(self, module: ModuleType) -> None:
        def refuse_name(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            _refuse(f"{ROOT}.{name}")

        module.__getattr__ = refuse_name  # type: ignore[method-assign]


def _refuse(name: str) -> NoReturn:
    advice = next((instead for known, instead in INSTEAD.items() if name.startswith(known)), "")
    raise BotCodeRefused(
        f"{name} is code of the bot that this plugin was written beside, and that is not here; use"
        f" {advice or 'what maibot_sdk offers (self.ctx)'} instead",
        name=name,
    )


def refuse_bot_imports() -> None:
    """From now on; a second call changes nothing."""
    if not any(isinstance(finder, _Refusal) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refusal())
