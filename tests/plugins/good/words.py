"""What the good plugin says."""

from __future__ import annotations

GREETING = "hello"
