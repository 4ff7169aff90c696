"""One playhouse and one set of performances for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .performances import Performances
from .theatre import Playhouse


@pytest.fixture(scope="session")
def playhouse() -> Iterator[Playhouse]:
    made = Playhouse()
    yield made
    made.close()


@pytest.fixture(scope="session")
def performances(tmp_path_factory: pytest.TempPathFactory, playhouse: Playhouse) -> Performances:
    base = tmp_path_factory.getbasetemp()
    # Each worker of pytest-xdist has a directory of its own, and they have the one above in common.
    shared = base.parent if base.name.startswith("popen-") else base
    return Performances(shared, playhouse)
