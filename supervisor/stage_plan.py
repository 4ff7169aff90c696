"""What does the launch stage of a confined runner have to do: which files, which limits, which user, which namespaces?"""

from __future__ import annotations

import base64
import glob
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from . import launch_stage
from .child_limits import niceness_of
from .profiles import Isolation
from .python_paths import SYSTEM
from .seccomp import OWN_PID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .process import Launch

STAGE = Path(launch_stage.__file__)

SYSTEM_FILES = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/mime.types",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/alternatives", "/usr/share/zoneinfo",
)  # fmt: skip
"""Of `/etc`, what programs need to start and to check certificates; no keys."""
NETWORK_FILES = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
)
MACHINE = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/sys/devices/system/cpu",
)
"""What libraries ask the size of the machine of. What else is in these directories names other processes."""
LINKERS = ("/lib64/ld-*", "/lib/ld-*", "/lib/*/ld-*", "/usr/lib/ld-*", "/usr/lib/*/ld-*")
"""Runs every program that is linked: the kernel starts it in the program's place."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

TEMPORARY_BYTES = 64 * 1024 * 1024
"""Of `/tmp`, and again of `/dev/shm`, in a sandbox."""

OOM_SCORE = 500
"""The kernel ends a runner before the host when memory is short."""

KEPT = ("PATH", "LANG", "LANGUAGE", "LC_", "TZ", "TERM", "PYTHON", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "MALLOC_", "NO_COLOR", "SSL_CERT_")  # fmt: skip
"""Beginnings of the names of variables that a confined runner gets; others name places that it does not have."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """What is a shard's own."""

    read: tuple[str, ...]
    """Directories of its plugins and of its Python."""
    write: tuple[str, ...]
    """Directories of its plugins' data."""
    home: str
    """A directory of its own, the working directory."""
    uid: int | None = None


@attrs.frozen(kw_only=True)
class Confinement:
    """How a runner is confined."""

    profile: Isolation
    network: bool
    subprocesses: bool
    program: bytes
    """The filter of system calls; b"" for a plain process."""
    bubblewrap: str = ""


def write_plan(launch: Launch, own: Surroundings, how: Confinement, *, kept: Iterable[str]) -> bytes:
    """The plan of a stage that ends as this launch.

    Args:
        kept: Variables that the operator gives it, which stay as they are.
    """
    is_boxed = how.profile is Isolation.SANDBOX and bool(how.bubblewrap)
    is_confined = how.profile is not Isolation.PROCESS
    home = "/tmp" if is_boxed else own.home
    environment = {
        name: value
        for name, value in launch.environment.items()
        if not is_confined or name in kept or name.startswith((*KEPT, "ROOKERY_RUN"))
    } | {"HOME": home, "TMPDIR": home}
    read = [*SYSTEM, *SYSTEM_FILES, *MACHINE, *own.read, *(NETWORK_FILES if how.network else ())]
    plan = {
        "oom_score_adj": OOM_SCORE,
        "nice": niceness_of(launch.limits),
        "rlimits": {"RLIMIT_CORE": 0, **_limit_of_processes(launch, own.uid)},
        "directory": own.home,
        "uid": own.uid,
        "is_confined": is_confined,
        "host": os.getpid(),
        "bubblewrap": bubblewrap_command(how.bubblewrap, own, network=how.network) if is_boxed else [],
        "read": [*read, *DEVICES, *(["/proc"] if is_boxed else [])],
        "run": [*SYSTEM, *own.read] if how.subprocesses else programs_of(launch.command[0]),
        "write": [*own.write, home, "/dev/null", *(["/dev/shm"] if is_boxed else [])],
        "network": how.network,
        "filter": base64.b64encode(how.program).decode("ascii"),
        "own_pid": OWN_PID,
        "link": launch.link,
        "lifeline": launch.lifeline,
        "command": list(launch.command),
        "environment": environment,
    }
    return json.dumps(plan).encode()


def _limit_of_processes(launch: Launch, uid: int | None) -> dict[str, int]:
    """The kernel counts a user's processes and threads, so it counts a shard's where its user is nobody else's."""
    if uid is None or launch.limits is None or not launch.limits.pids:
        return {}
    return {"RLIMIT_NPROC": launch.limits.pids}


def programs_of(command: str) -> list[str]:
    """What has to be run for one program to start, and nothing else: without it no other can take the runner's place."""
    return [os.path.realpath(command), *(path for pattern in LINKERS for path in glob.glob(pattern))]


def bubblewrap_command(program: str, own: Surroundings, *, network: bool) -> list[str]:
    """What makes the namespaces, up to what is started in them."""
    command = [
        program,
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    command += [] if network else ["--unshare-net"]
    command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
    for path in SYSTEM:
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            command += ["--ro-bind", path, path]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/dev/shm", "/tmp"):
        command += ["--size", str(TEMPORARY_BYTES), "--tmpfs", path]
    files = [*SYSTEM_FILES, *(NETWORK_FILES if network else ())]
    shown = [each for each in files if os.path.exists(each) and not each.startswith("/usr/")]
    for path in _parents_first([*shown, *own.read]):
        command += ["--ro-bind", path, path]
    for path in _parents_first(own.write):
        command += ["--bind", path, path]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


def _parents_first(paths: Iterable[str]) -> list[str]:
    return sorted(dict.fromkeys(paths), key=lambda path: (path.count("/"), path))
