"""What stands between a host and a confined runner: a program that takes everything away from itself, then becomes the runner.

Run as ``python -I -S launch_stage.py FD`` by the host's interpreter, so that nothing of a shard's own environment, no ``.pth``
and no variable, runs before it is confined. It imports nothing of rookery, and no plugin has ever run in it. ``FD`` holds
its plan as JSON (see ``stage_plan.py``). With bubblewrap it runs twice: outside, until it becomes bubblewrap, and inside.

``preexec_fn`` of ``subprocess`` is the rival: it runs in a fork of the host, with its memory, beside its threads.
"""

from __future__ import annotations

import base64
import ctypes
import fcntl
import json
import os
import resource
import select
import sys
from typing import Any

Plan = dict[str, Any]

INSIDE = "inside"
FAILED = 78
"""The exit code: another start would end the same way."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
SECCOMP_MODE_FILTER = 2
SIGKILL = 9
LAST_CAPABILITY = 63
CAPABILITY_VERSION = 0x2008_0522
"""``_LINUX_CAPABILITY_VERSION_3``: two words for each of three sets."""

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_ASK_VERSION = 1
RULE_PATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""By version of the kernel's interface: every right on files that it knows. From the fifth on there is one more."""
ALL_RIGHTS = (1 << 16) - 1
MAKE_DEVICES = (1 << 6) | (1 << 11)
TCP = 3
"""To bind and to connect; from the fourth version on."""
SCOPES = 3
"""Abstract sockets and signals; from the sixth version on."""

libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    """``struct landlock_ruleset_attr``."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    """``struct landlock_path_beneath_attr``."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def landlock_version() -> int:
    """Of the kernel's interface; 0 where there is none, or it is switched off."""
    version: int = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_ASK_VERSION)
    return max(0, version)


def apply_landlock(read: list[str], write: list[str], *, run: list[str], network: bool) -> None:
    """Leave this thread, and all that comes of it, nothing but these files. Paths that are not there are left out.

    Args:
        run: What may be executed, too.

    Raises:
        OSError: The kernel refuses.
    """
    version = landlock_version()
    if not version:
        raise OSError(95, "Landlock is not there")
    rights = RIGHTS.get(version, ALL_RIGHTS)
    ruleset = _Ruleset(rights, 0 if network or version < 4 else TCP, SCOPES if version >= 6 else 0)
    size = ctypes.sizeof(_Ruleset) if version >= 6 else 16 if version >= 4 else 8
    rules = _checked(libc.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0))
    try:
        for path in read:
            _allow(rules, path, rights & (READ_FILE | READ_DIR))
        for path in run:
            _allow(rules, path, rights & (EXECUTE | READ_FILE | READ_DIR))
        for path in write:
            _allow(rules, path, rights & ~MAKE_DEVICES & ~EXECUTE)
        _checked(libc.syscall(LANDLOCK_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        is_directory = os.fstat(parent).st_mode & 0o170000 == 0o040000
        beneath = _Beneath(rights if is_directory else rights & OF_FILES, parent)
        _checked(libc.syscall(LANDLOCK_ADD_RULE, rules, RULE_PATH, ctypes.byref(beneath), 0))
    finally:
        os.close(parent)


def apply_filter(program: bytes, own_pid: int) -> None:
    """Give this process the filter, whose place for its own number is filled in.

    Raises:
        OSError: The kernel refuses.
    """
    mark, number = own_pid.to_bytes(4, sys.byteorder), os.getpid().to_bytes(4, sys.byteorder)
    count = len(program) // 8
    filled = b"".join(
        each[:4] + number if each[4:] == mark else each
        for each in (program[place : place + 8] for place in range(0, len(program), 8))
    )
    instructions = ctypes.create_string_buffer(filled, len(filled))

    class Program(ctypes.Structure):
        _fields_ = (("count", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    made = Program(count, ctypes.addressof(instructions))
    _control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(made))


def _control(option: int, *arguments: int) -> None:
    """``prctl``, whose arguments are as wide as a register whatever the compiler made of them."""
    padded = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(libc.prctl(option, *padded))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


# --- the steps, in their order -----------------------------------------------------------------------------------------


def adjust_oom_score(plan: Plan) -> None:
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(plan["oom_score_adj"]))


def be_nice(plan: Plan) -> None:
    os.nice(plan["nice"])


def limit_resources(plan: Plan) -> None:
    for name, value in plan["rlimits"].items():
        number = getattr(resource, name)
        _, most = resource.getrlimit(number)
        allowed = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(number, (allowed, allowed))


def change_directory(plan: Plan) -> None:
    os.umask(0o077)
    os.chdir(plan["directory"])


def drop_bounding_set(plan: Plan) -> None:
    """No program that it starts gains a capability. Only who may drop them has any to lose."""
    if plan["bubblewrap"] and plan["uid"] is None:
        return  # it needs one to give root a namespace, and drops them all there itself
    for capability in range(LAST_CAPABILITY + 1):
        if libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break  # not allowed, or the kernel knows no more of them


def drop_to_own_user(plan: Plan) -> None:
    uid = plan["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def drop_capabilities(plan: Plan) -> None:
    """Whoever becomes another user has none any more; root without any is the owner of root's files and nothing else."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    if not plan["bubblewrap"]:
        _checked(libc.capset(header, (ctypes.c_uint32 * 6)()))


def die_with_host(plan: Plan) -> None:
    _control(PR_SET_PDEATHSIG, SIGKILL)  # after the change of users, which would clear it
    if os.getppid() != plan["host"]:
        raise OSError(3, "the host has ended meanwhile")


def gain_no_privileges(plan: Plan) -> None:
    _control(PR_SET_NO_NEW_PRIVS, 1)


def become_bubblewrap(plan: Plan) -> None:
    if plan["bubblewrap"]:
        again = [sys.executable, "-I", "-S", __file__, sys.argv[1], INSIDE]
        os.execv(plan["bubblewrap"][0], [*plan["bubblewrap"], *again])


def restrict_files(plan: Plan) -> None:
    if not plan["is_confined"]:
        return
    own = f"/proc/{os.getpid()}"
    apply_landlock([*plan["read"], own], plan["write"], run=plan["run"], network=plan["network"])
    # The rule is about what stands there now. While it is open nothing else will.
    os.set_inheritable(os.open(own, os.O_PATH | os.O_DIRECTORY), True)


def filter_calls(plan: Plan) -> None:
    if not plan["is_confined"]:
        return
    apply_filter(base64.b64decode(plan["filter"]), plan["own_pid"])


def arm_lifeline(plan: Plan) -> None:
    """Have the kernel end the runner's group when the host's end of this pipe closes. The runner may not ask for that itself:
    whoever may can have anybody sent a signal."""
    lifeline = plan["lifeline"]
    if lifeline is None:
        return
    if os.getpgrp() != os.getpid():
        os.setsid()  # behind bubblewrap's first process it leads nothing yet
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def check_link(plan: Plan) -> None:
    if plan["link"] is None:
        return  # a runner that connects by itself
    poll = select.poll()
    poll.register(plan["link"], 0)
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
        raise OSError(32, "the host has closed the connection")


def become_runner(plan: Plan) -> None:
    os.execve(plan["command"][0], plan["command"], plan["environment"])


OUTSIDE_STEPS = (
    adjust_oom_score,
    be_nice,
    limit_resources,
    change_directory,
    drop_bounding_set,
    drop_to_own_user,
    drop_capabilities,
    die_with_host,
    gain_no_privileges,
    become_bubblewrap,
)
INSIDE_STEPS = (arm_lifeline, restrict_files, filter_calls, check_link, become_runner)


def stage_command(descriptor: int) -> tuple[str, ...]:
    """What is started instead of a runner.

    Args:
        descriptor: Of the plan.
    """
    return (sys.executable, "-I", "-S", __file__, str(descriptor))


def main() -> None:
    """Do the steps. One that fails is named on standard error, and nothing is started."""
    descriptor, is_inside = int(sys.argv[1]), INSIDE in sys.argv[2:]
    plan = json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    os.set_inheritable(descriptor, bool(plan["bubblewrap"]) and not is_inside)
    for step in INSIDE_STEPS if is_inside else (*OUTSIDE_STEPS, *INSIDE_STEPS):
        try:
            step(plan)
        except (OSError, ValueError) as error:
            name = step.__name__.replace("_", " ")
            text = f"rookery: the runner is not started, because this failed: {name}: {error}\n"
            os.write(2, text.encode("utf-8", "replace"))
            os._exit(FAILED)


if __name__ == "__main__":
    main()
