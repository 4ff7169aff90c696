"""A command that serves for long has its objects left alone by the collector, and none is lost that was garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from rookery.supervisor.cli.collector import settle_objects


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _free() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_not_looked_at_again_and_what_is_garbage_goes() -> None:
    """Before and after."""
    earlier = weakref.ref(Knot())
    settle_objects()
    later = weakref.ref(Knot())

    assert gc.get_freeze_count() > 10_000
    assert earlier() is None
    gc.collect()
    assert later() is None
