"""The schema of a configuration has the shape that dashboards of protocol 1.0.0 read."""

from __future__ import annotations

from typing import Literal

from rookery.protocol import Manifest, check_sendable
from rookery.runner import Field, PluginConfig
from rookery.runner.config_schema import config_schema

MANIFEST = Manifest(plugin_id="test.sample", version="1.2.3", name="Sample")


class Inner(PluginConfig):
    on: bool = True


class Sample(PluginConfig):
    most: int = Field(3, "How many.", ge=1, le=10)
    mode: Literal["a", "b"] = "a"
    owner: str | None = None
    words: list[str] = Field(())
    inner: Inner = Field({}, "A table.")


def test_tables_are_sections_and_the_rest_is_general() -> None:
    """Types, bounds and choices of each field are there."""
    schema = config_schema(Sample, MANIFEST)

    fields = schema["sections"]["general"]["fields"]
    assert list(schema["sections"]) == ["inner", "general"]
    assert {name: field["type"] for name, field in fields.items()} == {
        "most": "integer",
        "mode": "select",
        "owner": "string",
        "words": "array",
    }
    assert (fields["most"]["min"], fields["most"]["max"], fields["most"]["default"]) == (1, 10, 3)
    assert fields["mode"]["choices"] == ["a", "b"]
    assert schema["sections"]["inner"]["fields"]["on"]["ui_type"] == "switch"
    assert schema["plugin_info"]["version"] == "1.2.3"
    check_sendable(schema)


def test_a_plugin_without_configuration_has_no_schema() -> None:
    """An empty form would only puzzle."""
    assert config_schema(PluginConfig, MANIFEST) == {}
