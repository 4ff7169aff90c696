"""The attacks, a module a kind; ``row`` says what one is. They need nothing but the standard library and attrs: they run inside
of the plugin that attacks, and of a child that nothing confines.
"""

from __future__ import annotations

from . import (
    detours,
    evasions,
    files_read,
    files_write,
    kernel,
    life,
    limits,
    memory,
    network,
    privileges,
    processes,
    resources,
)
from .row import ROWS, Row

MODULES = (
    files_read,
    files_write,
    processes,
    network,
    kernel,
    privileges,
    evasions,
    detours,
    limits,
    memory,
    resources,
    life,
)
"""The order of the table is another: that in which they were imported."""


def all_rows() -> dict[str, Row]:
    """Every attack, by name, in the order in which they are made."""
    return ROWS
