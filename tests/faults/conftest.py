"""The faults: nothing is collected while one of them has no test."""

from __future__ import annotations

import pytest

from tests.faults.catalogue.complaints import complaints


def pytest_collection_modifyitems() -> None:
    """Refuse to run while the catalogue of faults and the tests do not fit."""
    found = complaints()
    if found:
        raise pytest.UsageError("the catalogue of faults is not kept:\n  " + "\n  ".join(found))
