"""What can a deployment say about a plugin, and does it say it right?

A plugin declares its configuration as a class; the values come from its own ``config.toml`` and from the deployment's
file, which goes first. pydantic would do most of this; it costs a tenth of a second of every runner's start.
"""

from __future__ import annotations

import difflib
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from rookery.protocol import shown

from .annotation import resolve
from .errors import ConfigMistake, DeclarationError, PluginConfigError
from .setting import REQUIRED, Setting, complaint_about_kind, describe_kind, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_KEY = "config_version"


def Field(
    default: Any = REQUIRED,
    help: str = "",
    *,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
) -> Any:
    """Declare one configuration value: ``most: int = Field(3, "How many at once.", ge=1)``.

    The result is typed as anything, so that ``words: list[str] = Field(())`` is right for a type checker.

    Args:
        default: What holds when nobody says otherwise; without it the value is required.
        help: One sentence for operators; it becomes the comment in a written ``config.toml``.
        ge, le, gt, lt: Bounds of a number.
    """
    return _Declared(default, help, {"ge": ge, "le": le, "gt": gt, "lt": lt})


class _Declared:
    def __init__(self, default: Any, help: str, bounds: dict[str, float | None]) -> None:
        self.default = default
        self.help = help
        self.bounds = bounds


class PluginConfig:
    """The configuration of one plugin, or one table in it. Instances are checked and never change.

    Subclasses declare their values as annotated attributes with ``Field`` or a plain default. ``config_version`` grows
    when the meaning of a key changes; ``upgrade`` then turns what older files say into what is said today.
    """

    config_version: ClassVar[int] = 1
    settings: ClassVar[Mapping[str, Setting]] = MappingProxyType({})
    """Every key by name, in the order of declaration."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.settings = MappingProxyType({**cls.settings, **_declared_settings(cls)})

    def __init__(self, **values: Any) -> None:
        """Make a configuration in a test, e.g. ``DiceConfig(max_dice=3)``.

        Raises:
            PluginConfigError: Every mistake in the values.
        """
        mistakes: list[ConfigMistake] = []
        self.__dict__.update(_read_all(type(self), values, "", mistakes))
        if mistakes:
            raise PluginConfigError(mistakes)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a configuration does not change: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a configuration does not change: {name!r} cannot be removed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]  # it may hold lists

    def __repr__(self) -> str:
        # Values are left out: there are passwords among them, and this text goes into logs.
        return f"<{type(self).__name__} of {', '.join(self.settings)}>"

    def as_dict(self) -> dict[str, Any]:
        """The values as plain tables and lists."""
        return {name: _plain(getattr(self, name)) for name in self.settings}

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Turn the values of an older file into those of this version. The file itself is not touched.

        Args:
            version: What the file says, less than ``config_version``.
        """
        return values

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Check the merged values of a file and a deployment.

        Raises:
            PluginConfigError: Every mistake in the values.
        """
        plain = dict(values)
        version = plain.pop(VERSION_KEY, cls.config_version)
        if type(version) is not int or not 1 <= version <= cls.config_version:
            expected = f"must be an integer from 1 to {cls.config_version}, got {shown(version)}"
            advice = (
                "; the file was written for a newer plugin" if type(version) is int and version > 0 else ""
            )
            raise PluginConfigError([ConfigMistake(VERSION_KEY, expected + advice)])
        if version < cls.config_version:
            plain = cls.upgrade(plain, version)
        return cls(**plain)

    @classmethod
    def read_section(cls, values: dict[str, Any], path: str, mistakes: list[ConfigMistake]) -> Self:
        """Check one table within a configuration; mistakes are added to the list."""
        section = cls.__new__(cls)
        section.__dict__.update(_read_all(cls, values, f"{path}.", mistakes))
        return section

    @classmethod
    def own_schema(cls) -> dict[str, Any] | None:
        """What an editor is shown, where that does not follow from the settings."""
        return None

    @classmethod
    def default_values(cls) -> dict[str, Any]:
        """What holds when nobody says anything; required values are missing."""
        return {
            name: _plain(setting.read(setting.default, name, []))
            for name, setting in cls.settings.items()
            if not setting.is_required
        }


def _read_all(
    cls: type[PluginConfig], values: Mapping[str, Any], prefix: str, mistakes: list[ConfigMistake]
) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, setting in cls.settings.items():
        value = values.get(name, setting.default)
        if value is REQUIRED:
            mistakes.append(ConfigMistake(prefix + name, f"is required and missing: give {setting.expected}"))
        else:
            read[name] = setting.read(value, prefix + name, mistakes)
    mistakes += [
        ConfigMistake(prefix + name, _unknown(name, cls.settings))
        for name in values
        if name not in cls.settings
    ]
    return read


def _unknown(name: str, settings: Mapping[str, Setting]) -> str:
    if not settings:
        return "is not known: the plugin takes no configuration"
    close = difflib.get_close_matches(name, settings, n=1)
    if close:
        return f"is not known: did you mean {close[0]!r}?"
    return f"is not known: the plugin knows {', '.join(settings)}"


def _plain(value: Any) -> Any:
    if isinstance(value, PluginConfig):
        return value.as_dict()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _declared_settings(cls: type[PluginConfig]) -> dict[str, Setting]:
    settings = {}
    annotations = inspect.get_annotations(cls)
    for name, annotation in annotations.items():
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if name.startswith("_") or "ClassVar" in text:
            continue
        settings[name] = _declared_setting(cls, name, annotation)
        if name in vars(cls):
            delattr(cls, name)  # an instance without the value must not find the declaration instead
    for name, value in vars(cls).items():
        if isinstance(value, _Declared):
            raise DeclarationError(
                f"{cls.__name__}.{name} has a Field and no type: write {name}: int = Field(…), or what it is"
            )
    return settings


def _declared_setting(cls: type[PluginConfig], name: str, annotation: Any) -> Setting:
    where = f"{cls.__name__}.{name}"
    if hasattr(PluginConfig, name):
        raise DeclarationError(f"{where}: this name belongs to PluginConfig itself; take another one")
    try:
        kind = resolve(annotation, cls.__module__, dict(vars(cls)))
    except (NameError, SyntaxError, TypeError, AttributeError) as error:
        raise DeclarationError(
            f"{where}: its type {annotation!r} cannot be read: {error}; import it outside of `if TYPE_CHECKING`,"
            " and write the classes of tables above the class that uses them"
        ) from None
    if complaint := complaint_about_kind(kind):
        raise DeclarationError(f"{where}: {complaint}")
    given = vars(cls).get(name, REQUIRED)
    declared = given if isinstance(given, _Declared) else _Declared(given, "", {})
    setting = Setting(name=name, kind=kind, default=declared.default, help=declared.help, **declared.bounds)
    if setting.range and not is_number(kind):
        raise DeclarationError(
            f"{where}: bounds are for numbers, its type is {describe_kind(kind)}; leave ge, le, gt and lt out"
        )
    if type(declared.help) is not str:
        raise DeclarationError(
            f"{where}: the second argument of Field is a help text, got {shown(declared.help)};"
            ' write Field(default, "What it is for.")'
        )
    if not setting.is_required:
        _check_default(setting, where)
    return setting


def _check_default(setting: Setting, where: str) -> None:
    found: list[ConfigMistake] = []
    setting.read(setting.default, where, found)
    if found:
        raise DeclarationError(
            f"{found[0].key}: the default {found[0].message}; write a default that fits, or another type"
        )
