"""Which profiles can this machine give, and why not the others?"""

from __future__ import annotations

import sys

from rookery.supervisor.profiles import Isolation
from tests.doubles.confinement import need


def need_profile(profile: str) -> None:
    """Skip a test of a profile that cannot be had here, in the words of the host; ``plain`` needs Linux only."""
    if sys.platform != "linux":
        import pytest

        pytest.skip("the attacks are for Linux")
    if profile != "plain":
        need(Isolation(profile))
