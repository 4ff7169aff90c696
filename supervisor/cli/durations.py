"""How do people read a duration?"""

from __future__ import annotations


def seconds(value: float) -> str:
    """Two units at most: ``0.3 s``, ``42 s``, ``3 m 05 s``, ``2 h 11 m``, ``4 d 03 h``."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole // 60 % 60:02} m"
    return f"{whole // 86400} d {whole // 3600 % 24:02} h"
