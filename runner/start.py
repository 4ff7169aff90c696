"""How was this runner told to start: arguments of a host of ours, environment variables of an original one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from rookery.protocol import RookeryError, limits

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

ADDRESS = "MAIBOT_IPC_ADDRESS"
TOKEN = "MAIBOT_SESSION_TOKEN"
PLUGIN_DIRS = "MAIBOT_PLUGIN_DIRS"
TRUSTED_DIRS = "MAIBOT_TRUSTED_PLUGIN_DIRS"
TYPE_FILTER = "MAIBOT_PLUGIN_TYPE_FILTER"
EXTERNAL = "MAIBOT_EXTERNAL_PLUGIN_IDS"
BLOCKED = "MAIBOT_BLOCKED_PLUGIN_REASONS"
GROUP = "MAIBOT_RUNNER_GROUP"
HOST_VERSION = "MAIBOT_HOST_VERSION"
ASYNCIO = "asyncio"
RUNTIMES = (ASYNCIO, "trio")

VARIABLES = (ADDRESS, TOKEN, PLUGIN_DIRS, TRUSTED_DIRS, TYPE_FILTER, EXTERNAL, BLOCKED, GROUP, HOST_VERSION)
"""All are taken out of the environment before plugin code can read them or hand them to its children."""

SHOWN_USAGE = (
    "a host of rookery starts it with --link-fd; any host of protocol 1.0.0 with the environment variables"
    f" {ADDRESS} and {TOKEN}"
)


class BadStart(RookeryError):
    """The arguments or the environment cannot start a runner: the host's mistake, it does not help to try again."""


@attrs.frozen(kw_only=True)
class Start:
    """What the host said before the connection."""

    link_fd: int | None = None
    """The inherited socket; ``None``: connect to ``address``."""
    lifeline_fd: int | None = None
    """The read end of a pipe whose write end only the host has."""
    output_fds: tuple[int, int] | None = None
    """The read ends of this process's own standard output and standard error."""
    page_fd: int | None = None
    """The page that this runner shares with its host."""
    ping_fd: int | None = None
    """The read end of a pipe in which the host asks whether this runner is there; the page has the answer."""
    address: str = ""
    token: str = ""
    plugin_dirs: tuple[Path, ...] = ()
    """Where to look for plugins when the host assigns none."""
    trusted_dirs: tuple[Path, ...] = ()
    type_filter: str = ""
    """"" all · ``not_adapter`` · ``trusted_or_adapter`` · any other text: plugins of exactly this type."""
    external: dict[str, str] = attrs.Factory(dict)
    """Plugins of other runners: id to version."""
    blocked: dict[str, str] = attrs.Factory(dict)
    """Plugins not to be loaded: id to reason."""
    runtime: str = ""
    """What a host of ours wants plugins to find: ``asyncio``, or trio alone."""
    remarks: tuple[str, ...] = ()
    """What was odd and could be passed over; for the log."""

    @property
    def has_asyncio(self) -> bool:
        """Whether plugins get an asyncio loop. Those of an original host are written for one."""
        return self.runtime == ASYNCIO or self.link_fd is None


def read_start(arguments: Sequence[str], environ: MutableMapping[str, str]) -> Start:
    """Read how to start, and take the protocol's variables out of the environment.

    Raises:
        BadStart: Something is missing or wrong; the message says what and how to do it.
    """
    given = {name: environ.pop(name, "") for name in VARIABLES}
    told = _read_arguments(arguments)
    remarks: list[str] = []
    start = Start(
        **told,
        address=given[ADDRESS],
        token=given[TOKEN],
        plugin_dirs=_directories(given[PLUGIN_DIRS]),
        trusted_dirs=_directories(given[TRUSTED_DIRS]),
        type_filter=given[TYPE_FILTER].strip().lower(),
        external=_text_map(EXTERNAL, given[EXTERNAL], remarks),
        blocked=_text_map(BLOCKED, given[BLOCKED], remarks),
    )
    if start.link_fd is None and not (start.address and start.token):
        missing = " and ".join(name for name in (ADDRESS, TOKEN) if not given[name])
        raise BadStart(f"there is neither --link-fd nor {missing}: {SHOWN_USAGE}")
    return attrs.evolve(start, remarks=tuple(remarks))


def _read_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """By hand as long as they are what a host gives: a runner that is forked would have most of a megabyte for itself alone
    of what ``argparse`` touches."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(given) * 2 != len(arguments) or not given.keys() <= _ARGUMENTS.keys():
        given = _explain_arguments(arguments)
    found = {}
    for flag, text in given.items():
        read, _, _ = _ARGUMENTS[flag]
        try:
            found[flag.removeprefix("--").replace("-", "_")] = read(text)
        except ValueError as error:
            raise BadStart(f"argument {flag}: {error}; {SHOWN_USAGE}") from None
    return found


def _explain_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """The same by a parser that can say what is wrong, and what there is."""
    import argparse  # see above: not for a runner that starts as usual

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise BadStart(f"{message}; {SHOWN_USAGE}")

    parser = Parser(
        prog="python -m rookery.runner",
        description=f"Hosts plugins for a bot; {SHOWN_USAGE}.",
        allow_abbrev=False,
    )
    for flag, (_, metavar, meaning) in _ARGUMENTS.items():
        parser.add_argument(flag, dest=flag, metavar=metavar, help=meaning)
    return {flag: text for flag, text in vars(parser.parse_args(arguments)).items() if text is not None}


def _runtime(text: str) -> str:
    if text not in RUNTIMES:
        raise ValueError(f"must be one of {', '.join(RUNTIMES)}, got {text!r}")
    return text


def _descriptor(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"must be the number of a descriptor, got {text!r}")
    fd = int(text)
    try:
        os.fstat(fd)
    except OSError:
        raise ValueError(f"descriptor {fd} is not open in this process") from None
    return fd


def _two_descriptors(text: str) -> tuple[int, int]:
    out, comma, err = text.partition(",")
    if not comma:
        raise ValueError(f"must be two descriptors like 5,6, got {text!r}")
    return _descriptor(out), _descriptor(err)


_ARGUMENTS: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "--link-fd": (_descriptor, "FD", "the inherited socket"),
    "--lifeline-fd": (_descriptor, "FD", "read end of the host's pipe"),
    "--output-fds": (_two_descriptors, "OUT,ERR", "read ends of our own output pipes"),
    "--page-fd": (_descriptor, "FD", "memory shared with the host"),
    "--ping-fd": (_descriptor, "FD", "read end of the host's questions"),
    "--runtime": (_runtime, "NAME", "which event loop plugins find"),
}
"""Each argument: how it is read, what it is called, and what it is."""


def _directories(text: str) -> tuple[Path, ...]:
    return tuple(Path(part.strip()).absolute() for part in text.split(os.pathsep) if part.strip())


def _text_map(name: str, text: str, remarks: list[str]) -> dict[str, str]:
    if not text:
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if type(data) is not dict or not all(type(value) is str for value in data.values()):
        # The original runner goes on with nothing as well: a host that cannot write JSON still gets its plugins.
        remarks.append(f"{name} is ignored: it must be a JSON object of texts, got {text!r:.100}")
        return {}
    return {key: value[: limits.MAX_NAME_CHARS] for key, value in data.items()}
