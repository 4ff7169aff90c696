"""What does an isolation profile do to a child before it starts: the seam for stronger ones.

Today there is one profile, ``process``: a process and a session of its own, named descriptors only, and an environment
without what was meant for the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .process import Launch

_MEANT_FOR_THE_HOST = ("ROOKERY_", "MAIBOT_")
"""Settings and secrets of the host, and the token of a connection that may be another runner's."""


def confine(launch: Launch, profile: str = "process") -> Launch:
    """The launch as the profile wants it.

    Raises:
        ValueError: There is no such profile.
    """
    if profile != "process":
        raise ValueError(f"isolation profile is {profile!r}, expected 'process'")
    return launch


_hidden: set[str] = set()
"""Further variables that no child gets. The environment is the whole process's, and so is this."""


def hide_variables(names: Iterable[str]) -> None:
    """No child gets these of the host's environment from now on: they hold its keys."""
    _hidden.update(names)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child gets of the host's environment."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _hidden and not name.startswith(_MEANT_FOR_THE_HOST)
    }
