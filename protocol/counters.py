"""What has a session seen, for whoever counts?"""

from __future__ import annotations

import attrs


@attrs.define
class SessionCounters:
    """What a session has seen; every field starts at 0 and, but for one, only grows."""

    frames_in: int = 0
    frames_out: int = 0
    latest_bytes: int = 0
    """Of the frame that came in last; this one does not grow."""
    late_answers: int = 0
    """Answers to requests that had timed out or been given up."""
    unknown_answers: int = 0
    """Answers to ids that were never used."""
    refused_requests: int = 0
    """Requests of the peer for methods that it may not call."""
    bad_notices: int = 0
    """Broadcasts of the peer that could not be used."""
