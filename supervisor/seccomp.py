"""Which system calls may a confined runner make: the filter, built here and applied by the launch stage.

An allow-list in the manner of systemd's ``@system-service``. What is not on it does not exist for the runner (ENOSYS), as if
the kernel were older; what is dangerous and well known is forbidden (EPERM), so that libraries say so. libseccomp knows the
numbers of each architecture and makes the program; it is loaded by ``ctypes`` in the host alone, since the binding on PyPI is
stale and would have to be imported inside of the sandbox.

Lost: a list of what is forbidden. Each new kernel brings calls that such a list has never heard of.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = "libseccomp.so.2"

ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_OPTIMIZE = 8
"""``SCMP_FLTATR_CTL_OPTIMIZE``: 2 looks numbers up by a tree, in a twentieth of the time of a list."""
_BAD_ARCHITECTURE = 2
"""``SCMP_FLTATR_ACT_BADARCH``: what becomes of calls with numbers of another kind of program."""
KILL_PROCESS = 0x8000_0000
_NO_SUCH_CALL = -1

_EQUAL, _MASKED_EQUAL, _NOT_EQUAL = 4, 7, 1

OWN_PID = 0x5EED_C0DE
"""Stands in the filter for the number of the process that it is applied to, which the stage knows and the host does not."""

CLONE_THREAD = 0x0001_0000
SET_ID_BITS = 0o6000
O_CREAT = 0o100
O_TMPFILE = 0o2000_0000
"""Without the bit of directories: a file without a name, which can be given one."""
NAMESPACES = 0x7E02_0000
"""``CLONE_NEW*``: mount, cgroup, uts, ipc, user, pid and network."""
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15
"""Who owns a descriptor is sent a signal of its choice when something happens there, whoever that is."""
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCK_TYPE_MASK = 0xF
SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
IPPROTO_TCP, IPPROTO_UDP = 6, 17
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 16, 36, 37, 38, 1025, 1030, 1031, 1032, 1033, 1034)
"""Copies of descriptors, their flags, locks of files, who owns them, sizes of pipes and seals. No signals to others, and no
leases: whoever opens a file with one waits for a minute, the host too."""
IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Is it a terminal, and how large is it; how much can be read; without blocking; close on exec, and not."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ALLOWED = _words("""
    access alarm arch_prctl brk capget chdir clock_getres clock_gettime clock_nanosleep close close_range
    copy_file_range dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
    epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
    fallocate fchdir fdatasync fgetxattr flistxattr flock fstat fstatfs fsync ftruncate futex
    futex_waitv get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
    geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
    getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
    inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
    io_setup io_submit lgetxattr link linkat listxattr llistxattr lseek lstat madvise membarrier mincore
    mkdir mkdirat mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap nanosleep newfstatat
    pause pipe pipe2 poll ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readahead readlink
    readlinkat readv recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir rseq
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_yield select sendfile sendmmsg sendmsg set_robust_list set_thread_area set_tid_address setitimer
    setpgid setsid setsockopt shutdown sigaltstack signalfd signalfd4 splice stat statfs statx symlink symlinkat
    sync_file_range sysinfo tee time timer_create timer_delete timer_getoverrun timer_gettime timer_settime
    timerfd_create timerfd_gettime timerfd_settime times truncate umask uname unlink unlinkat vmsplice wait4 waitid write writev
""")
"""Without a look at their arguments."""

FORBIDDEN = _words("""
    acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig
    fsmount fsopen fspick get_kernel_syms init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl
    ioprio_set kcmp kexec_file_load kexec_load keyctl lookup_dcookie memfd_create memfd_secret mknod mknodat modify_ldt mount
    mount_setattr move_mount move_pages migrate_pages mbind name_to_handle_at nfsservctl open_by_handle_at open_tree
    perf_event_open pidfd_getfd pidfd_send_signal pivot_root process_madvise process_mrelease
    process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key sched_setattr sched_setparam
    sched_setscheduler set_mempolicy setdomainname setfsgid setfsuid setgid setgroups sethostname setns setregid
    setresgid setresuid setreuid settimeofday setuid shmat shmctl shmdt shmget msgctl msgget msgrcv msgsnd semctl
    semget semop semtimedop mq_open mq_unlink swapoff swapon syslog tkill umount umount2 unshare userfaultfd uselib
    ustat vhangup vm86 vm86old
""")
"""Said so, because programs ask for them and libraries can do without."""


OWNERS_CALLS = _words("chown fchown fchownat futimesat lchown utime utimensat utimes")
"""What a file's owner may do to it whatever it was opened for. Landlock does not judge these, nor changes of modes."""


class NoFilter(Exception):
    """There can be no filter here; the text names the reason."""


class _Compare(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def build_filter(
    *, network: bool, subprocesses: bool, own_user: bool = False, own_mounts: bool = False
) -> bytes:
    """A program for ``prctl(PR_SET_SECCOMP)``: eight bytes an instruction, with ``OWN_PID`` in some of them.

    Args:
        network: Whether it may make sockets of the Internet; sockets by a path it may never make.
        subprocesses: Whether it may start processes, and signal others than itself.
        own_user: Whether its user is nobody else's. As the owner of files that it must not change it could change their modes,
            owners and times. Then those calls do nothing, and say that they did: libraries copy modes and times all the time.
        own_mounts: Whether it sees no other files than its own, and those that nobody can change.

    Raises:
        NoFilter: libseccomp is not there, or refuses.
    """
    with _rules() as rules:
        for name in ALLOWED:
            rules.allow(name)
        for name in FORBIDDEN:
            rules.forbid(name)
        _add_files(rules)
        _add_owners_calls(rules, is_owner=not own_user and not own_mounts)
        if own_mounts:
            rules.allow("inotify_add_watch")
        else:
            rules.forbid(
                "inotify_add_watch"
            )  # it tells the names of others' files while they are worked with
        _add_processes(rules, subprocesses=subprocesses)
        _add_sockets(rules, network=network)
        return rules.program()


def _add_files(rules: _Rules) -> None:
    """Modes without set-uid and set-gid bits, and controls that no terminal is fed by."""
    rules.allow("creat", (1, _MASKED_EQUAL, SET_ID_BITS, 0))
    for name, flags, mode in (("open", 1, 2), ("openat", 2, 3)):
        rules.allow(name, (flags, _MASKED_EQUAL, O_CREAT | O_TMPFILE, 0))
        rules.allow(name, (mode, _MASKED_EQUAL, SET_ID_BITS, 0))
    for command in (F_SETOWN, F_SETSIG, F_SETOWN_EX):
        rules.forbid("fcntl", (1, _MASKED_EQUAL, 0xFFFF_FFFF, command))
    for command in FCNTLS:
        rules.allow("fcntl", (1, _MASKED_EQUAL, 0xFFFF_FFFF, command))
    for number in IOCTLS:
        rules.allow("ioctl", (1, _MASKED_EQUAL, 0xFFFF_FFFF, number))
    for number in (TIOCSTI, TIOCLINUX):
        rules.forbid("ioctl", (1, _MASKED_EQUAL, 0xFFFF_FFFF, number))


def _add_owners_calls(rules: _Rules, *, is_owner: bool) -> None:
    for name in OWNERS_CALLS:
        if is_owner:
            rules.pretend(name)
        else:
            rules.allow(name)
    for name, place in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2)):
        if is_owner:
            rules.pretend(name, (place, _MASKED_EQUAL, SET_ID_BITS, 0))
        else:
            rules.allow(name, (place, _MASKED_EQUAL, SET_ID_BITS, 0))
        for bit in (0o4000, 0o2000):
            rules.forbid(name, (place, _MASKED_EQUAL, bit, bit))


def _add_processes(rules: _Rules, *, subprocesses: bool) -> None:
    rules.allow("personality", (0, _EQUAL, 0xFFFF_FFFF, 0))  # the question which one it has
    rules.allow("prctl")
    for name in ("prlimit64", "sched_setaffinity"):
        for pid in (0, OWN_PID):
            rules.allow(name, (0, _EQUAL, pid, 0))
    rules.allow("setrlimit")
    for pid in (0, OWN_PID):
        rules.allow("setpriority", (0, _EQUAL, 0, 0), (1, _EQUAL, pid, 0))
    if subprocesses:
        rules.allow("clone", (0, _MASKED_EQUAL, NAMESPACES, 0))
        rules.forbid("clone", (0, _MASKED_EQUAL, 0x1000_0000, 0x1000_0000))
        for name in ("fork", "vfork", "kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"):
            rules.allow(name)
        return
    rules.forbid("pidfd_open")
    rules.allow("clone", (0, _MASKED_EQUAL, CLONE_THREAD | NAMESPACES, CLONE_THREAD))
    rules.forbid("clone", (0, _MASKED_EQUAL, CLONE_THREAD, 0))
    for name in ("fork", "vfork"):
        rules.forbid(name)
    for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
        rules.allow(name, (0, _EQUAL, OWN_PID, 0))
        rules.forbid(name, (0, _NOT_EQUAL, OWN_PID, 0))


def _add_sockets(rules: _Rules, *, network: bool) -> None:
    """Pairs of its own, which every event loop wakes itself with; more only with the network. Not pairs for datagrams: each of
    those can be sent to any path."""
    for kind in (SOCK_STREAM, SOCK_SEQPACKET):
        rules.allow("socketpair", (0, _EQUAL, AF_UNIX, 0), (1, _MASKED_EQUAL, SOCK_TYPE_MASK, kind))
    if network:
        rules.allow("sendto")
    else:
        rules.allow("sendto", (4, _EQUAL, 0, 0))
        rules.forbid("sendto", (4, _NOT_EQUAL, 0, 0))
    if not network:
        for name in ("socket", "connect", "bind", "listen", "accept", "accept4"):
            rules.forbid(name)
        return
    for name in ("connect", "bind", "listen", "accept", "accept4"):
        rules.allow(name)
    for family in (AF_INET, AF_INET6):
        for kind, own in ((SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP)):
            for protocol in (0, own):
                rules.allow(
                    "socket",
                    (0, _EQUAL, family, 0),
                    (1, _MASKED_EQUAL, SOCK_TYPE_MASK, kind),
                    (2, _EQUAL, protocol, 0),
                )


class _Rules:
    """A filter that is being made."""

    def __init__(self, library: ctypes.CDLL, context: int) -> None:
        self._library = library
        self._context = ctypes.c_void_p(context)

    def allow(self, name: str, *compares: tuple[int, int, int, int]) -> None:
        self._add(ALLOW, name, compares)

    def forbid(self, name: str, *compares: tuple[int, int, int, int]) -> None:
        self._add(_ERRNO | errno.EPERM, name, compares)

    def pretend(self, name: str, *compares: tuple[int, int, int, int]) -> None:
        """It does nothing, and succeeds."""
        self._add(_ERRNO, name, compares)

    def _add(self, action: int, name: str, compares: tuple[tuple[int, int, int, int], ...]) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number == _NO_SUCH_CALL:
            return  # newer than this libseccomp: it does not exist for the runner
        made = (_Compare * len(compares))(*(_Compare(*each) for each in compares)) if compares else None
        failed = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(compares), made
        )
        if failed and failed != -errno.EDOM:  # a call of another architecture
            raise NoFilter(f"libseccomp does not take a rule for {name}: {os.strerror(-failed)}")

    def program(self) -> bytes:
        descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
        try:
            failed = self._library.seccomp_export_bpf(self._context, descriptor)
            if failed:
                raise NoFilter(f"libseccomp does not export the filter: {os.strerror(-failed)}")
            return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        finally:
            os.close(descriptor)


@contextmanager
def _rules() -> Iterator[_Rules]:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise NoFilter(f"{LIBRARY} is not installed") from None
    library.seccomp_init.restype = ctypes.c_void_p
    context = library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.ENOSYS))
    if not context:
        raise NoFilter("libseccomp does not know this architecture")
    try:
        library.seccomp_attr_set(ctypes.c_void_p(context), _OPTIMIZE, ctypes.c_uint32(2))
        # The default ends the thread alone, and leaves a process in which whatever that had locked stays locked.
        library.seccomp_attr_set(ctypes.c_void_p(context), _BAD_ARCHITECTURE, ctypes.c_uint32(KILL_PROCESS))
        yield _Rules(library, context)
    finally:
        library.seccomp_release(ctypes.c_void_p(context))
