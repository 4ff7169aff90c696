"""A plugin that waits for something at import."""

from __future__ import annotations

import time

time.sleep(3600)
