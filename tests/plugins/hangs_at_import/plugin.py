"""A plugin whose import never ends and that swallows its first interruption."""

from __future__ import annotations

swallowed = 0
while True:
    try:
        while True:
            swallowed += 0
    except BaseException:
        swallowed += 1
        if swallowed > 1:
            raise
