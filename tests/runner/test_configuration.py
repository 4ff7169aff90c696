"""A configuration is right as a whole or refused as a whole, with every mistake named."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest

from rookery.runner import DeclarationError, Field, PluginConfig, PluginConfigError


class Limits(PluginConfig):
    rate: float = Field(2.0, "Lines a second.", ge=0)
    names: tuple[str, ...] = ()


class Bot(PluginConfig):
    most: int = Field(3, "How many.", ge=1, le=10)
    words: list[str] = Field((), "Unwanted.")
    mode: Literal["loud", "quiet"] = "quiet"
    owner: str | None = None
    scores: dict[str, int] = Field({})
    limits: Limits = Field({}, "Speed.")
    _private: int = 3
    SHARED: ClassVar[int] = 4


class Required(PluginConfig):
    token: str = Field(help="The key of the service.")


def mistakes_of(config_class: type[PluginConfig], values: dict[str, Any]) -> list[str]:
    with pytest.raises(PluginConfigError) as caught:
        config_class.from_values(values)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_without_values_the_defaults_hold() -> None:
    """Every declared default arrives with its declared type."""
    config = Bot.from_values({})

    assert (config.most, config.words, config.mode, config.owner, config.scores) == (3, [], "quiet", None, {})
    assert (config.limits.rate, config.limits.names) == (2.0, ())
    assert config.as_dict() == Bot.default_values()


def test_values_go_before_defaults_in_tables_too() -> None:
    """An integer is good where a float is expected; a table gives only what it wants to change."""
    config = Bot.from_values({"most": 5, "words": ["a"], "limits": {"rate": 7}})

    assert (config.most, config.words, config.limits.rate, config.limits.names) == (5, ["a"], 7.0, ())
    assert type(config.limits.rate) is float


def test_two_instances_share_nothing() -> None:
    """A plugin that appends to its list does not change the defaults of the next."""
    Bot().words.append("leaked")

    assert Bot().words == []


@pytest.mark.parametrize(
    ("values", "mistake"),
    [
        pytest.param({"most": "3"}, "most: must be an integer, got str '3'", id="text for a number"),
        pytest.param({"most": True}, "most: must be an integer, got bool True", id="truth for a number"),
        pytest.param({"most": 11}, "most: must be an integer from 1 to 10, got 11", id="above the range"),
        pytest.param(
            {"words": "abc"}, "words: must be a list, each item a text, got str 'abc'", id="no list"
        ),
        pytest.param({"words": ["a", 1]}, "words[1]: must be a text, got int 1", id="in a list"),
        pytest.param(
            {"mode": "mute"}, "mode: must be one of 'loud', 'quiet', got str 'mute'", id="not a choice"
        ),
        pytest.param({"scores": {"a": "b"}}, "scores.a: must be an integer, got str 'b'", id="in a map"),
        pytest.param(
            {"limits": {"rate": float("nan")}},
            "limits.rate: must be a number at least 0, got nan",
            id="not a number",
        ),
        pytest.param({"limits": 3}, "limits: must be a table, got int 3", id="no table"),
        pytest.param({"mots": 3}, "mots: is not known: did you mean 'most'?", id="a typing mistake"),
        pytest.param(
            {"limits": {"speed": 3}},
            "limits.speed: is not known: the plugin knows rate, names",
            id="unknown in a table",
        ),
        pytest.param(
            {"config_version": 2},
            "config_version: must be an integer from 1 to 1, got 2; the file was written for a newer plugin",
            id="a newer file",
        ),
    ],
)
def test_a_mistake_is_named(values: dict[str, Any], mistake: str) -> None:
    """What was given, what is expected, where."""
    assert mistakes_of(Bot, values) == [mistake]


def test_all_mistakes_are_named_at_once() -> None:
    """Nobody has to start the bot four times to find four mistakes."""
    assert len(mistakes_of(Bot, {"most": 0, "words": 1, "extra": 2, "limits": {"rate": "fast"}})) == 4


def test_a_required_value_is_asked_for() -> None:
    """A value without a default has to be given."""
    assert mistakes_of(Required, {}) == ["token: is required and missing: give a text"]
    assert Required(token="t").token == "t"


def test_a_plugin_without_configuration_takes_none() -> None:
    """A section for it in the deployment is a mistake that is told."""
    assert mistakes_of(PluginConfig, {"a": 1}) == [
        "a: is not known: the plugin takes no configuration",
    ]


def test_an_older_file_is_upgraded_by_the_plugin() -> None:
    """The values of an old version pass through upgrade before they are checked."""

    class Renamed(PluginConfig):
        config_version = 2
        colour: str = "red"

        @classmethod
        def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
            return {"colour": values["color"]}

    assert Renamed.from_values({"config_version": 1, "color": "blue"}).colour == "blue"
    assert Renamed.from_values({"colour": "green"}).colour == "green"


def test_a_configuration_does_not_change() -> None:
    """It is replaced as a whole; its repr shows no values, because there are passwords among them."""
    config = Required(token="secret")

    with pytest.raises(AttributeError, match="does not change"):
        config.token = "other"
    assert "secret" not in repr(config)
    assert config == Required(token="secret")


def test_settings_are_inherited() -> None:
    """A class may add to another's values."""

    class More(Required):
        extra: int = 1

    assert list(More.settings) == ["token", "extra"]


def test_a_default_of_the_wrong_type_is_the_authors_mistake() -> None:
    """It is told when the class is made, before any deployment meets it."""
    with pytest.raises(
        DeclarationError, match=r"C\.most: the default must be an integer, got str 'x'; write"
    ):

        class C(PluginConfig):
            most: int = Field("x")


def test_a_default_out_of_its_range_is_too() -> None:
    """Bounds hold for defaults."""
    with pytest.raises(DeclarationError, match=r"C\.most: the default must be an integer at least 1, got 0"):

        class C(PluginConfig):
            most: int = Field(0, ge=1)


def test_a_type_that_toml_has_not_is_refused() -> None:
    """The error lists what there is."""
    with pytest.raises(DeclarationError, match=r"C\.place: complex is no kind .* use str, int"):

        class C(PluginConfig):
            place: complex = Field(1)


def test_a_type_that_cannot_be_read_is_refused() -> None:
    """Mostly it is imported for the type checker only."""
    with pytest.raises(DeclarationError, match=r"C\.place: its type 'Missing' cannot be read.*TYPE_CHECKING"):

        class C(PluginConfig):
            place: Missing = Field(1)  # type: ignore[name-defined]  # noqa: F821  # the mistake


def test_bounds_are_for_numbers() -> None:
    """A range of a text means nothing."""
    with pytest.raises(DeclarationError, match=r"C\.name: bounds are for numbers, its type is a text"):

        class C(PluginConfig):
            name: str = Field("", ge=1)


def test_a_field_without_a_type_is_refused() -> None:
    """A forgotten annotation would otherwise be a value that nobody can set."""
    with pytest.raises(DeclarationError, match=r"C\.most has a Field and no type"):

        class C(PluginConfig):
            most = Field(1)


def test_the_names_of_the_class_itself_are_taken() -> None:
    """A value called as_dict would hide the method."""
    with pytest.raises(DeclarationError, match=r"C\.upgrade: this name belongs to PluginConfig"):

        class C(PluginConfig):
            upgrade: int = 1  # type: ignore[assignment]  # the mistake
