"""What does an isolation profile do to a child before it starts: the seam for stronger ones.

Today there is one profile, ``process``: a process and a session of its own, named descriptors only, and of the host's
environment what any program needs, and what an operator names for the shard.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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


def child_environment(environ: Mapping[str, str], allowed: Sequence[str] = ()) -> dict[str, str]:
    """What a child gets of the host's environment. Keys of services stand there, so it is little.

    Args:
        allowed: Patterns of further names, of which ``*`` is all; never what is meant for the host.
    """
    patterns = (*NEEDED, *allowed)
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
        and name not in _hidden
        and not name.startswith(_MEANT_FOR_THE_HOST)
    }


NEEDED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TEMP", "TMP",
    "XDG_*", "PYTHON*", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "MALLOC_*", "NO_COLOR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
)  # fmt: skip
"""Names, and patterns of them, that programs need to run at all, to speak the user's language and to reach the network."""
