"""How does an attack ask the kernel itself, past everything that a library would check first?"""

from __future__ import annotations

import ctypes
import os
import platform

LIBC = ctypes.CDLL(None, use_errno=True)

_ONLY_ONE = {  # (x86_64, aarch64); calls above 424 have one number everywhere
    "read": (0, 63), "ioctl": (16, 29), "socket": (41, 198), "ptrace": (101, 117), "mount": (165, 40),
    "umount2": (166, 39), "reboot": (169, 142), "init_module": (175, 105), "add_key": (248, 217),
    "keyctl": (250, 219), "unshare": (272, 97), "perf_event_open": (298, 241), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "setns": (308, 268), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "seccomp": (317, 277), "memfd_create": (319, 279),
    "bpf": (321, 280), "execveat": (322, 281), "userfaultfd": (323, 282), "chroot": (161, 51),
    "syslog": (103, 116), "mknodat": (259, 33), "fanotify_init": (300, 262), "process_madvise": (440, 440),
    "clone": (56, 220), "sched_setattr": (314, 274), "ioprio_set": (251, 30), "personality": (135, 92),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "pidfd_send_signal": (424, 424), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_tree": (428, 428), "fsopen": (430, 430), "pidfd_open": (434, 434),
    "clone3": (435, 435), "openat2": (437, 437), "pidfd_getfd": (438, 438), "memfd_secret": (447, 447),
    "process_mrelease": (448, 448), "fchmodat2": (452, 452), "settimeofday": (164, 170), "pivot_root": (155, 41),
    "kexec_load": (246, 104), "sethostname": (170, 161), "tgkill": (234, 131), "rt_tgsigqueueinfo": (297, 240),
    "rt_sigqueueinfo": (129, 138), "move_pages": (279, 239), "quotactl": (179, 60), "swapon": (167, 224),
    "acct": (163, 89), "lookup_dcookie": (212, 18), "set_mempolicy": (238, 237),
}  # fmt: skip

NUMBERS = {name: pair[platform.machine() == "aarch64"] for name, pair in _ONLY_ONE.items()}


def call(name: str, *args: object) -> int:
    """Make one system call by its number.

    Raises:
        OSError: The kernel refused.
    """
    return call_number(NUMBERS[name], *args)


def call_number(number: int, *args: object) -> int:
    """The same by number: whole numbers are passed as the kernel's long, everything else as ctypes passes it.

    Raises:
        OSError: The kernel refused.
    """
    LIBC.syscall.restype = ctypes.c_long
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in args]
    result = int(LIBC.syscall(ctypes.c_long(number), *passed))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def child_result(function: object, seconds: float = 5.0) -> str:
    """Run a function in a fork of this process, which ends with it; what it returned, or what it met.

    Raises:
        OSError: There can be no child, or the function raised one.
    """
    import select
    import signal

    receive, send = os.pipe()
    child = os.fork()
    if not child:
        try:
            try:
                told = f"+{function()}"  # type: ignore[operator]
            except OSError as error:
                told = f"-{error.errno}"
            os.write(send, told.encode()[:4000])
        finally:
            os._exit(0)
    os.close(send)
    try:
        told = ""
        if select.select([receive], [], [], seconds)[0]:
            told = os.read(receive, 4096).decode()
    finally:
        os.close(receive)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if told.startswith("+"):
        return told[1:]
    number = int(told[1:] or 0)
    raise OSError(number, os.strerror(number) if number else "the child told nothing")
