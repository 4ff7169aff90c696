"""What can be reached from in here? Run inside of a shard's isolation, in the place of a runner; it imports nothing of rookery.

Its argument is a map of the canaries that its host has planted. It answers with a map on standard output: by the name of each
attempt what it has got, or "" when it got nothing. A canary counts as reached only when its value, or its effect, is in hand.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Canaries = dict[str, Any]
PTRACE_ATTACH = 16
SECONDS = 2.0


def read_secret(canaries: Canaries) -> str:
    """A file of the host's that its own user can read."""
    with open(canaries["secret_file"], encoding="utf-8") as file:
        return file.read()


def read_data_of_another_shard(canaries: Canaries) -> str:
    with open(canaries["other_data"], encoding="utf-8") as file:
        return file.read()


def write_host_config(canaries: Canaries) -> str:
    with open(canaries["config_file"], "a", encoding="utf-8") as file:
        file.write("reached")
    return "written"


def write_own_code(canaries: Canaries) -> str:
    for path in canaries["code"]:
        name = os.path.join(path, ".rookery-probe")
        try:
            with open(name, "w", encoding="utf-8"):
                pass
        except OSError:
            continue
        os.unlink(name)
        return name
    return ""


def read_own_environment(canaries: Canaries) -> str:
    with open("/proc/self/environ", "rb") as file:
        return canaries["token"] if canaries["token"].encode() in file.read() else ""


def read_environment_of_sibling(canaries: Canaries) -> str:
    with open(f"/proc/{canaries['sibling']}/environ", "rb") as file:
        return canaries["token"] if canaries["token"].encode() in file.read() else ""


def read_arguments_of_sibling(canaries: Canaries) -> str:
    with open(f"/proc/{canaries['sibling']}/cmdline", "rb") as file:
        return canaries["token"] if canaries["token"].encode() in file.read() else ""


def read_memory_of_sibling(canaries: Canaries) -> str:
    with open(f"/proc/{canaries['sibling']}/mem", "rb"):
        return "opened"


def trace_sibling(canaries: Canaries) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    return "attached" if libc.ptrace(PTRACE_ATTACH, canaries["sibling"], None, None) == 0 else ""


def signal_sibling(canaries: Canaries) -> str:
    os.kill(canaries["sibling"], signal.SIGCONT)
    return "signalled"


def signal_host(canaries: Canaries) -> str:
    os.kill(canaries["host"], signal.SIGCONT)
    return "signalled"


def find_other_processes(canaries: Canaries) -> str:
    found = {int(name) for name in os.listdir("/proc") if name.isdigit()} & {
        canaries["host"],
        canaries["sibling"],
    }
    return f"processes {sorted(found)}" if found else ""


def connect_by_tcp(canaries: Canaries) -> str:
    with socket.create_connection(("127.0.0.1", canaries["tcp"]), SECONDS) as sock:
        return sock.recv(64).decode()


def send_by_udp(canaries: Canaries) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(SECONDS)
        sock.sendto(b"?", ("127.0.0.1", canaries["udp"]))
        return sock.recv(64).decode()


def connect_by_path(canaries: Canaries) -> str:
    return _unix(canaries["unix"])


def connect_by_abstract_name(canaries: Canaries) -> str:
    return _unix("\0" + canaries["abstract"])


def _unix(address: str) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(address)
        return sock.recv(64).decode()


def start_a_process(canaries: Canaries) -> str:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "forked"


def become_root_inside(canaries: Canaries) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    return "a namespace" if libc.unshare(0x1000_0000) == 0 else ""


def keep_memory_in_a_file(canaries: Canaries) -> str:
    os.close(os.memfd_create("probe"))
    return "a file in memory"


def set_the_user_id_bit(canaries: Canaries) -> str:
    name = os.path.join(os.environ.get("TMPDIR", "/tmp"), "probe")
    with open(name, "w", encoding="utf-8"):
        pass
    os.chmod(name, 0o4755)
    return name if os.stat(name).st_mode & 0o4000 else ""


def find_descriptors(canaries: Canaries) -> str:
    found = []
    for number in range(3, 256):
        try:
            os.fstat(number)
        except OSError:
            continue
        if number in canaries["own_descriptors"] or _is_own_directory(number):
            continue
        found.append(number)
    return f"descriptors {found}" if found else ""


def _is_own_directory(descriptor: int) -> bool:
    """What the launch stage keeps open, so that its leave to read about itself is about nobody else later."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == f"/proc/{os.getpid()}"
    except OSError:
        return False


ATTEMPTS: tuple[Callable[[Canaries], str], ...] = (
    read_secret,
    read_data_of_another_shard,
    write_host_config,
    write_own_code,
    read_own_environment,
    read_environment_of_sibling,
    read_arguments_of_sibling,
    read_memory_of_sibling,
    trace_sibling,
    signal_sibling,
    signal_host,
    find_other_processes,
    connect_by_tcp,
    send_by_udp,
    connect_by_path,
    connect_by_abstract_name,
    start_a_process,
    become_root_inside,
    keep_memory_in_a_file,
    set_the_user_id_bit,
    find_descriptors,
)


def main() -> None:
    canaries = json.loads(sys.argv[1])
    found = {}
    for attempt in ATTEMPTS:
        try:
            found[attempt.__name__] = attempt(canaries)
        except (OSError, ValueError):
            found[attempt.__name__] = ""
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
