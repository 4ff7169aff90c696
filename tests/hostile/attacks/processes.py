"""Can a plugin read, change or signal a process that is not its own: the host, a runner next door, everything?"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
import time
from pathlib import Path

from .kernel_calls import LIBC, call
from .row import Stage, Stopped, attack

FILES = "reading /proc of others needs a file that Landlock does not name; the sandbox has processes of its own only"
TRACE = (
    "a host lets nobody but root look into it; tracing needs a right and calls that the filter does not know"
)
SIGNALS = "the filter lets a plugin signal itself; Landlock says the same where the kernel has it; no other is in the sandbox"

_PTRACE_PEEKDATA, _PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 2, 17, 0x4206, 0x4207


def _environ(pid: int, secret: str) -> str:
    if secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes():
        raise Stopped("another process's environment")
    return f"the environment of {pid} has {secret}"


@attack("R/-", "R/-", "-", "-", FILES)
def read_environment_of_the_host(stage: Stage) -> str:
    """Keys of services stand there."""
    return _environ(stage["host"], stage["secret"]["environ"])


@attack("R", "R", "-", "-", FILES)
def read_environment_of_another_runner(stage: Stage) -> str:
    return _environ(stage["sibling"], stage["secret"]["home"])


@attack("R", "-", "-", "-", "a runner gets of the host's environment what any program needs")
def read_own_environment(stage: Stage) -> str:
    """What was inherited, also where it was scrubbed too late."""
    seen = Path("/proc/self/environ").read_bytes() if os.access("/proc/self/environ", os.R_OK) else b""
    if stage["secret"]["environ"] in os.environ.values() or stage["secret"]["environ"].encode() in seen:
        return "the host's secret was inherited"
    raise Stopped(f"{len(os.environ)} variables, and no secret")


@attack("R", "R", "-", "-", FILES)
def read_arguments_of_others(stage: Stage) -> str:
    """Programs that are told a token on their command line."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            told = Path(entry.path, "cmdline").read_bytes()
        except OSError:
            continue
        if stage["secret"]["argument"].encode() in told:
            return f"process {entry.name} was told the token"
    raise Stopped("no process that can be seen was told it")


@attack("R", "R", "-", "-", FILES)
def list_processes(stage: Stage) -> str:
    """Who else runs here."""
    seen = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    if not {stage["host"], stage["sibling"]} <= seen:
        raise Stopped(f"{len(seen)} processes, the host not among them")
    return f"{len(seen)} processes"


@attack("R/-", "R/-", "-", "-", TRACE)
def read_memory_of_the_host_by_file(stage: Stage) -> str:
    with open(f"/proc/{stage['host']}/mem", "rb", buffering=0) as file:
        file.seek(stage["address"])
        return _memory(file.read(64), stage)


def _memory(found: bytes, stage: Stage) -> str:
    if stage["secret"]["memory"].encode() not in found:
        raise Stopped("other memory")
    return "the secret was in its memory"


@attack("R/-", "R/-", "-", "-", TRACE)
def write_memory_of_the_host_by_file(stage: Stage) -> str:
    """The same bytes again: whoever can do that can write others."""
    with open(f"/proc/{stage['host']}/mem", "r+b", buffering=0) as file:
        file.seek(stage["address"])
        file.write(stage["secret"]["memory"].encode())
    return "written"


class _Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@attack("R/-", "R/-", "-", "-", TRACE)
def read_memory_of_the_host_by_call(stage: Stage) -> str:
    buffer = ctypes.create_string_buffer(64)
    here = _Piece(ctypes.cast(buffer, ctypes.c_void_p), 64)
    there = _Piece(stage["address"], 64)
    call("process_vm_readv", stage["host"], ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return _memory(buffer.raw, stage)


@attack("R/-", "R/-", "-", "-", TRACE)
def trace_the_host(stage: Stage) -> str:
    """Attach as a debugger does, and read a word."""
    return _trace(stage["host"], stage["address"], stage["secret"]["memory"].encode()[:8])


@attack("R", "R", "-", "-", TRACE)
def trace_another_runner(stage: Stage) -> str:
    return _trace(stage["sibling"], 0, b"")


@attack("R", "R", "-", "-", TRACE)
def trace_an_equal(stage: Stage) -> str:
    """A runner of the same profile, and, where the host is not root, of the same user."""
    return _trace(stage["neighbour"], 0, b"")


def _trace(pid: int, address: int, expected: bytes) -> str:
    call("ptrace", _PTRACE_SEIZE, pid, 0, 0)
    call("ptrace", _PTRACE_INTERRUPT, pid, 0, 0)
    deadline = time.monotonic() + 2.0
    while not os.waitpid(pid, os.WNOHANG | 0x40000000)[
        0
    ]:  # __WALL: one that is not a child is waited for as well
        if time.monotonic() > deadline:
            raise Stopped("attached, and it did not stop")
        time.sleep(0.001)
    try:
        word = ctypes.c_long(0)
        if address:
            call("ptrace", _PTRACE_PEEKDATA, pid, ctypes.c_void_p(address), ctypes.byref(word))
            if bytes(word)[: len(expected)] != expected:
                raise Stopped("other memory")
    finally:
        call("ptrace", _PTRACE_DETACH, pid, 0, 0)
    return f"traced {pid}"


@attack("R/-", "R/-", "-", "-", TRACE)
def steal_descriptor_of_the_host(stage: Stage) -> str:
    """A copy of a descriptor that another process has open."""
    pidfd = call("pidfd_open", stage["host"], 0)
    try:
        stolen = call("pidfd_getfd", pidfd, stage["descriptor"], 0)
    finally:
        os.close(pidfd)
    found = os.pread(stolen, 4096, 0)
    os.close(stolen)
    if stage["secret"]["file"].encode() not in found:
        raise Stopped("another file")
    return "the host's own descriptor"


@attack("R/-", "R/-", "-", "-", TRACE)
def compare_with_the_host(stage: Stage) -> str:
    """Whether two processes share a thing of the kernel's, which tells of its addresses."""
    return f"kcmp said {call('kcmp', os.getpid(), stage['host'], 1, 0, 0)}"


@attack("R/-", "R/-", "-", "-", FILES)
def learn_the_layout_of_the_host(stage: Stage) -> str:
    """Where its libraries lie in memory."""
    found = Path(f"/proc/{stage['host']}/maps").read_text()
    if "libc" not in found:
        raise Stopped("an empty map")
    return f"{len(found.splitlines())} lines"


@attack("R", "R", "-", "-", SIGNALS, witnessed=True)
def signal_the_host(stage: Stage) -> str:
    os.kill(stage["host"], signal.SIGUSR2)
    return "sent"


@attack("R", "R", "-", "-", SIGNALS, witnessed=True)
def signal_the_host_by_pidfd(stage: Stage) -> str:
    pidfd = call("pidfd_open", stage["host"], 0)
    try:
        call("pidfd_send_signal", pidfd, int(signal.SIGUSR2), None, 0)
    finally:
        os.close(pidfd)
    return "sent"


@attack("R", "R", "-", "-", SIGNALS, witnessed=True)
def signal_the_group_of_the_host(stage: Stage) -> str:
    os.kill(-stage["host"], signal.SIGUSR2)
    return "sent"


@attack("R", "R", "-", "-", SIGNALS, witnessed=True)
def signal_a_thread_of_the_host(stage: Stage) -> str:
    call("tgkill", stage["host"], stage["host"], int(signal.SIGUSR2))
    return "sent"


@attack("R", "R", "-", "-", SIGNALS, witnessed=True)
def queue_signal_for_the_host(stage: Stage) -> str:
    """With a sender that the host would believe to be somebody else."""
    info = ctypes.create_string_buffer(struct.pack("iii", int(signal.SIGUSR2), 0, -1).ljust(128, b"\0"))
    call("rt_sigqueueinfo", stage["host"], int(signal.SIGUSR2), info)
    return "sent"


@attack(
    "R",
    "R",
    "-",
    "-",
    "the kernel asks when such a signal is sent, Landlock too from Linux 6.12 on; else no other is there to be named",
    witnessed=True,
)
def have_the_kernel_signal_the_host(stage: Stage) -> str:
    """Data that arrives at a pipe are told to the pipe's owner, and that is to be the host."""
    receive, send = os.pipe()
    try:
        fcntl.fcntl(receive, fcntl.F_SETOWN, stage["host"])
        fcntl.fcntl(receive, 10, int(signal.SIGUSR2))  # F_SETSIG
        fcntl.fcntl(receive, fcntl.F_SETFL, fcntl.fcntl(receive, fcntl.F_GETFL) | os.O_ASYNC)
        os.write(send, b"x")
    finally:
        os.close(receive)
        os.close(send)
    return "sent"


@attack("R", "R", "-", "-", SIGNALS)
def signal_another_runner(stage: Stage) -> str:
    os.kill(stage["sibling"], signal.SIGCONT)
    return "it was told to go on"


@attack("R", "R", "-", "-", SIGNALS)
def signal_an_equal(stage: Stage) -> str:
    os.kill(stage["neighbour"], signal.SIGCONT)
    return "it was told to go on"


@attack("R", "R", "-", "-", SIGNALS)
def signal_everything(stage: Stage) -> str:
    """Whatever this user may signal, all at once. Number 0 asks for the permission, and harms nobody."""
    os.kill(-1, 0)
    return "there is somebody to be signalled"


@attack("R", "R", "-", "-", "the filter lets a plugin change limits of its own only", witnessed=True)
def limit_the_host(stage: Stage) -> str:
    """One descriptor less; it could be all of them."""
    soft, hard = resource.prlimit(stage["host"], resource.RLIMIT_NOFILE)
    resource.prlimit(stage["host"], resource.RLIMIT_NOFILE, (soft - 1, hard))
    return f"{soft - 1} instead of {soft}"


@attack(
    "R",
    "R",
    "-",
    "-",
    "the filter lets a plugin schedule itself only; the sandbox has no other",
    witnessed=True,
)
def pin_the_host(stage: Stage) -> str:
    """All of it on one processor."""
    allowed = os.sched_getaffinity(stage["host"])
    if len(allowed) < 2:
        raise Stopped("there is one processor")
    os.sched_setaffinity(stage["host"], {min(allowed)})
    return f"on processor {min(allowed)}"


@attack("R", "R", "-", "-", "as above")
def schedule_the_host(stage: Stage) -> str:
    """The policy that it has already: whoever may set it may set the last of all."""
    os.sched_setscheduler(stage["host"], os.SCHED_OTHER, os.sched_param(0))
    return "set"


@attack("R", "R", "-", "-", "as above")
def renice_the_host(stage: Stage) -> str:
    """To what it is already; an ordinary user could not take anything else back."""
    os.setpriority(os.PRIO_PROCESS, stage["host"], os.getpriority(os.PRIO_PROCESS, stage["host"]))
    return "set"


@attack("R", "R", "-", "-", "as above")
def renice_all_of_a_user(stage: Stage) -> str:
    """As above, for every process of the host's user."""
    before = os.getpriority(os.PRIO_PROCESS, stage["sibling"])
    os.setpriority(os.PRIO_PROCESS, stage["sibling"], before)
    return "set"


@attack("R/-", "R/-", "-", "-", FILES, witnessed=True)
def offer_the_host_to_the_killer(stage: Stage) -> str:
    """When memory is short the host is to go first."""
    Path(f"/proc/{stage['host']}/oom_score_adj").write_text("500")
    return "it would be killed first"


@attack("R/-", "R/-", "-", "-", FILES)
def change_what_the_host_dumps(stage: Stage) -> str:
    """What of its memory a core file would have."""
    path = Path(f"/proc/{stage['host']}/coredump_filter")
    path.write_text(f"0x{path.read_text().strip()}")
    return "set to what it was"


@attack("R/-", "R/-", "-", "-", "the name spaces of others are behind the right to trace them")
def enter_name_space_of_the_host(stage: Stage) -> str:
    """Become a process of the host's side. A thread of one with several may enter few kinds, of which one will do."""
    place = os.open(f"/proc/{stage['host']}/ns/uts", os.O_RDONLY)
    try:
        if stage["host_uid"] != 0:
            return "opened: the file is all that an ordinary user gets anywhere"
        if LIBC.setns(place, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(place)
    return "entered"
