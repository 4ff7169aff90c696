"""The faults: nothing is collected while one of them has no test, and every host of theirs keeps the invariants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.catalogue.complaints import complaints
from tests.faults.watch import Watch


def pytest_collection_modifyitems() -> None:
    """Refuse to run while the catalogue of faults and the tests do not fit."""
    found = complaints()
    if found:
        raise pytest.UsageError("the catalogue of faults is not kept:\n  " + "\n  ".join(found))


@pytest.fixture(autouse=True)
def invariants(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Every host that the test embeds is judged when it has stopped."""
    watch = Watch()
    watch.attach(monkeypatch)
    yield watch
    assert not watch.broken, "\n".join(watch.broken)
