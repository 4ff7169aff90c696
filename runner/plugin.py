"""What is a plugin: the class that authors derive from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, get_args, get_origin

from rookery.protocol import shown

from .configuration import PluginConfig
from .errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .context import Context

    # A default makes plain `Plugin` mean `Plugin[PluginConfig]` for type checkers; Python itself knows it from 3.13 on.
    ConfigT = TypeVar("ConfigT", bound=PluginConfig, default=PluginConfig)
else:
    ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class Plugin(Generic[ConfigT]):
    """One plugin: its components are the decorated methods.

    ``class Dice(Plugin[DiceConfig])`` has a configuration, ``class Stats(Plugin)`` has none. ``on_load``, ``on_unload`` and
    ``on_config_update`` are called when they are there; each may be ``async`` or plain. A plain one runs in a thread.
    """

    config_class: ClassVar[type[PluginConfig]] = PluginConfig
    overlaps: ClassVar[bool] = True
    """Whether newer code may be loaded while this works, at a reload: calls then never wait, and newer code that fails
    costs nothing. Set it to False where ``on_unload`` has to come before the next ``on_load``: because it saves what that
    reads, or because only one can hold what both need. A plugin with a gateway never overlaps."""

    config_subscriptions: ClassVar[tuple[str, ...]] = ()
    """Whose configuration it wants to hear of besides its own: ``bot``, ``model``. See ``on_host_config``."""

    _ctx: Context | None = None
    _config: PluginConfig | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("ctx", "config"):
            if name in vars(cls):
                raise DeclarationError(
                    f"{cls.__name__}.{name}: this name belongs to Plugin itself; take another one"
                )
        for base in vars(cls).get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Plugin):
                _take_config_class(cls, get_args(base)[0])

    @property
    def ctx(self) -> Context:
        """What the plugin may use of its runner and its host."""
        if self._ctx is None:
            raise RuntimeError(f"{type(self).__name__}.ctx is not there in __init__: use it from on_load on")
        return self._ctx

    @property
    def config(self) -> ConfigT:
        """The configuration, checked. It is replaced, never changed, when the deployment says something new."""
        if self._config is None:
            raise RuntimeError(
                f"{type(self).__name__}.config is not there in __init__: use it from on_load on"
            )
        return cast("ConfigT", self._config)

    if TYPE_CHECKING:
        # Declared so that both `def` and `async def` override them.

        def on_load(self) -> Awaitable[None] | None:
            """Called once, before the first component is. A failure keeps the plugin from being loaded."""

        def on_unload(self) -> Awaitable[None] | None:
            """Called once when the plugin goes; background tasks end after it."""

        def on_config_update(self) -> Awaitable[None] | None:
            """Called after ``config`` was replaced."""

        def on_host_config(self, scope: str, values: dict[str, Any], version: str) -> Awaitable[None] | None:
            """Called when the host says what the bot's configuration is now, for the scopes in
            ``config_subscriptions``."""

    else:

        async def on_load(self):
            pass

        async def on_unload(self):
            pass

        async def on_config_update(self):
            pass

        async def on_host_config(self, scope, values, version):
            pass

    def attach(self, ctx: Context, config: PluginConfig) -> None:
        """Give the plugin its context and its configuration. The runner calls it."""
        self._ctx = ctx
        self._config = config


def _take_config_class(cls: type[Plugin[Any]], config_class: Any) -> None:
    if isinstance(config_class, TypeVar):
        return  # a base class that leaves the choice to its own subclasses
    if not (isinstance(config_class, type) and issubclass(config_class, PluginConfig)):
        raise DeclarationError(
            f"{cls.__name__}: Plugin[…] takes a class derived from PluginConfig, got {shown(config_class)};"
            f" write class {cls.__name__}Config(PluginConfig) and Plugin[{cls.__name__}Config]"
        )
    cls.config_class = config_class
