"""A table of what methods of the context ask the host, and what they make of its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import pytest

from rookery.protocol import AssignedPlugin
from rookery.runner import Context
from tests.runner.makers import fake_host


class Asked(NamedTuple):
    """One row."""

    call: Callable[[Context], Awaitable[Any]]
    capability: str
    args: dict[str, Any]
    """What goes out."""
    answer: Any
    """What comes back."""
    expected: Any
    """What the plugin gets."""


def asking(rows: Sequence[tuple[Any, ...]]) -> pytest.MarkDecorator:
    """Run a test with each row, as ``row``."""
    return pytest.mark.parametrize(
        "row", [pytest.param(Asked(*row), id=f"{row[1]}-{i}") for i, row in enumerate(rows)]
    )


async def check_asked(row: Asked) -> None:
    """The method asks once, just this, and unpacks the answer into a value of the very type."""
    asked: list[dict[str, Any]] = []

    def serve(**given: Any) -> Any:
        asked.append(given)
        return row.answer

    async with fake_host(capabilities={row.capability: serve}) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))
        result = await row.call(ctx)

    assert asked == [row.args]
    assert result == row.expected
    assert type(result) is type(row.expected)
