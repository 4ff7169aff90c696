"""What a peer may say at once, and for how long it is not heard when it has said too much."""

from __future__ import annotations

import pytest

from rookery.protocol import Pace, PaceLimits
from rookery.protocol.limits import READ_CHUNK_BYTES


@pytest.mark.parametrize(
    ("limits", "charged", "delay"),
    [
        pytest.param({}, {"frames": 10**6, "size": 10**9, "work": 100.0}, 0.0, id="no limits"),
        pytest.param(
            {"frames_rate": 10, "frames_burst": 20}, {"frames": 20, "size": 1, "work": 0.0}, 0.0, id="a burst"
        ),
        pytest.param(
            {"frames_rate": 10, "frames_burst": 20},
            {"frames": 25, "size": 1, "work": 0.0},
            0.5,
            id="frames beyond the burst",
        ),
        pytest.param(
            {"bytes_rate": 100, "bytes_burst": 100},
            {"frames": 1, "size": 300, "work": 0.0},
            2.0,
            id="bytes beyond the burst",
        ),
        pytest.param(
            {"work_share": 0.1, "work_burst": 0.5},
            {"frames": 1, "size": 1, "work": 0.6},
            1.0,
            id="time beyond the burst",
        ),
    ],
)
def test_what_was_too_much_is_waited_for(
    limits: dict[str, float], charged: dict[str, float], delay: float
) -> None:
    """Whichever of the three it was; the time is that in which the leave for it comes back."""
    pace = Pace(PaceLimits(**limits), now=5.0)  # type: ignore[arg-type]

    assert pace.charge(**charged, now=5.0) == pytest.approx(delay)  # type: ignore[arg-type]


def test_who_has_waited_may_speak_again() -> None:
    """At the rate, and not at once as much as after a quiet time."""
    pace = Pace(PaceLimits(frames_rate=10, frames_burst=20), now=0.0)
    first = pace.charge(frames=30, size=0, work=0.0, now=0.0)
    after = [pace.charge(frames=10, size=0, work=0.0, now=now) for now in (1.0, 2.0, 3.0)]

    assert first == 1.0
    assert after == [1.0, 1.0, 1.0]


def test_only_the_rest_of_a_frame_is_heard_at_once() -> None:
    """A large frame comes in large pieces; small ones, however many, in small ones."""
    pace = Pace(PaceLimits(turn_bytes=4096), now=0.0)

    assert [pace.most(missing) for missing in (0, 100, 10_000, 10**6)] == [
        4096,
        4096,
        10_000,
        READ_CHUNK_BYTES,
    ]
