"""What does this machine have to confine a runner with? Each is tried, not guessed from a version."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from .launch_stage import landlock_version
from .profiles import Means
from .seccomp import NoFilter, build_filter
from .stage_plan import Surroundings, bubblewrap_command

TRIAL_SECONDS = 10.0

NO_LANDLOCK = (
    "the kernel does not offer it: Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and landlock in the list of"
    " /sys/kernel/security/lsm (boot with lsm=landlock,...)"
)

CAUSES = (
    (
        "RTM_NEWADDR",
        "AppArmor keeps it from the network namespace: give bwrap an AppArmor profile that grants userns, or set"
        " sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "No permissions to create",
        "user namespaces are switched off: sysctl kernel.unprivileged_userns_clone=1, or user.max_user_namespaces above 0",
    ),
    ("Operation not permitted", "in a container, allow user namespaces (its seccomp profile forbids them)"),
    (
        "Creating new namespace failed",
        "user namespaces are not to be had: sysctl user.max_user_namespaces above 0",
    ),
)
"""What bubblewrap says, and what helps."""


def find_means(uid: int | None = None) -> Means:
    """Try everything. Blocks for some 150 milliseconds: not for the loop.

    Args:
        uid: The user that a shard would have; None is this process's own.
    """
    version = landlock_version()
    try:
        build_filter(network=False, subprocesses=False)
        no_seccomp = ""
    except NoFilter as error:
        no_seccomp = f"{error}: install libseccomp2 (Debian, Ubuntu) or libseccomp (Fedora, Arch, Alpine)"
    program = shutil.which("bwrap") or ""
    no_bubblewrap = (
        _try_bubblewrap(program, uid) if program else "bwrap is not installed: install the package bubblewrap"
    )
    return Means(
        landlock=version,
        no_landlock="" if version else NO_LANDLOCK,
        no_seccomp=no_seccomp,
        bubblewrap="" if no_bubblewrap else program,
        no_bubblewrap=no_bubblewrap,
    )


def _try_bubblewrap(program: str, uid: int | None) -> str:
    """Why it makes no sandbox here; "" when it does."""
    with tempfile.TemporaryDirectory() as directory:
        own = Surroundings(read=(), write=(), home=directory)
        command = [*bubblewrap_command(program, own, network=False), "/bin/true"]
        as_user = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        try:
            tried = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TRIAL_SECONDS,
                check=False,
                env={"PATH": os.defpath},
                cwd="/",
                **as_user,  # type: ignore[call-overload]
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap cannot be tried: {error}"
    if tried.returncode == 0:
        return ""
    said = tried.stderr.decode("utf-8", "replace").strip()[-300:]
    cause = next((help for sign, help in CAUSES if sign in said), "")
    return f"{said or f'bwrap ended with {tried.returncode}'}{f' ({cause})' if cause else ''}"
