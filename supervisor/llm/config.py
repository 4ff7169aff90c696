"""What does the section [llm] of a configuration file say, and what is wrong with it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..config_table import as_written, join, read_table
from ..suggestion import one_of, suggest
from .settings import NAME_FORM, LlmSettings, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config_table import Notes

SECTION = "llm"


@attrs.frozen(kw_only=True)
class _Limits:
    """What stands in the section itself."""

    max_concurrent: int = attrs.field(
        default=attrs.fields(LlmSettings).max_concurrent.default,
        validator=attrs.fields(LlmSettings).max_concurrent.validator,
    )


def read_llm(table: object, notes: Notes) -> LlmSettings:
    """Read the section; every mistake is in the notes."""
    if type(table) is not dict:
        notes.add(SECTION, as_written(table), "a section [llm], with [llm.models.NAME] and [llm.tasks]")
        return LlmSettings()
    notes.check_keys(table, ("max_concurrent", "models", "tasks"), SECTION)
    own = {key: value for key, value in table.items() if key == "max_concurrent"}
    limits = read_table(_Limits, own, SECTION, notes) or _Limits()
    models, named = _read_models(table.get("models", {}), notes)
    tasks = _read_tasks(table.get("tasks", {}), named, notes)
    return LlmSettings(max_concurrent=limits.max_concurrent, models=models, tasks=tasks)


def _read_models(tables: object, notes: Notes) -> tuple[dict[str, ModelSettings], set[str]]:
    """The models, and the names of all that the file speaks of: one with a mistake is there all the same."""
    path = join(SECTION, "models")
    if type(tables) is not dict:
        notes.add(path, as_written(tables), "a section [llm.models.NAME] for each model")
        return {}, set()
    models = {}
    for name, table in tables.items():
        place = join(path, name)
        if not NAME_FORM.accepts(name):
            notes.add(place, f"a model called {as_written(name)}", NAME_FORM.expected)
        elif (model := read_table(ModelSettings, table, place, notes)) is not None:
            models[name] = model
            _check_address(model, join(place, "base_url"), notes)
    return models, set(tables)


def _check_address(model: ModelSettings, path: str, notes: Notes) -> None:
    given, expected = model.complaint
    if given and not any(mistake.key == path for mistake in notes.mistakes):
        advice = "" if model.base_url else "or set provider to the client type of a plugin's provider"
        notes.add(path, given, expected, advice)


def _read_tasks(table: object, named: set[str], notes: Notes) -> dict[str, tuple[str, ...]]:
    path = join(SECTION, "tasks")
    if type(table) is not dict:
        notes.add(path, as_written(table), 'a table of tasks, such as default = "small"')
        return {}
    if not table and named:
        notes.add(
            path, "nothing, and there are models", advice=f'name what they are for: default = "{min(named)}"'
        )
    return {name: _read_task(name, value, path, named, notes) for name, value in table.items()}


def _read_task(name: str, value: object, path: str, named: set[str], notes: Notes) -> tuple[str, ...]:
    place = join(path, name)
    models = [value] if type(value) is str else value
    if not NAME_FORM.accepts(name):
        notes.add(place, f"a task called {as_written(name)}", NAME_FORM.expected)
    if type(models) is not list or not models or not all(type(each) is str for each in models):
        notes.add(place, as_written(value), "the name of a model, or a list of them")
        return ()
    for each in models:
        if each not in named:
            advice = suggest(each, named) or f"add a section [{join('llm.models', each)}]"
            notes.add(place, as_written(each), one_of(named), advice)
    return tuple(models)


def plugin_client_types(settings: LlmSettings) -> Mapping[str, tuple[str, ...]]:
    """The client types that plugins have to provide, each with the models that need it."""
    found: dict[str, tuple[str, ...]] = {}
    for name, model in settings.models.items():
        if not model.is_http:
            found[model.provider] = (*found.get(model.provider, ()), name)
    return found
