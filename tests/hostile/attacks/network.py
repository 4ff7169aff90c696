"""Can a plugin that has no network reach anything: services of the machine, other processes, the world?

With ``network = true`` it may reach what it likes by TCP and UDP; local sockets stay closed to it.
"""

from __future__ import annotations

import array
import errno
import json
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Callable

from .row import Absent, Stage, Stopped, attack

SOCKETS = "no socket can be made; the sandbox has no network either"
MPTCP, SCTP, SMC = 262, 132, 43


def _talk(made: socket.socket, connect: Callable[[socket.socket], object], stage: Stage) -> str:
    """Connect, tell the nonce, and hear the greeting that every service of the stage gives."""
    with made:
        made.settimeout(2.0)
        connect(made)
        made.sendall(stage["nonce"].encode())
        heard = made.recv(256)
    if stage["secret"]["service"].encode() not in heard:
        raise Stopped("nobody greets there")
    return heard.decode()


def _tcp(stage: Stage) -> tuple[str, int]:
    return "127.0.0.1", stage["tcp"]


@attack("R", "R", "-", "-", SOCKETS)
def connect_by_tcp(stage: Stage) -> str:
    """A service of the machine that listens for itself only."""
    return _talk(socket.socket(), lambda made: made.connect(_tcp(stage)), stage)


@attack("R", "R", "-", "-", SOCKETS)
def connect_by_ipv6(stage: Stage) -> str:
    """The same over the other family, by the address that stands for the older one."""
    made = socket.socket(socket.AF_INET6)
    return _talk(made, lambda made: made.connect(("::ffff:127.0.0.1", stage["tcp"])), stage)


@attack(
    "R",
    "R",
    "-",
    "-",
    "Landlock judges `connect`, and this is none: so no socket may be made at all",
    optional=True,
)
def connect_by_sending(stage: Stage) -> str:
    """TCP Fast Open: the first data open the connection."""
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
        made.sendto(stage["nonce"].encode(), 0x20000000, _tcp(stage))  # MSG_FASTOPEN
        heard = made.recv(256)
    if stage["secret"]["service"].encode() not in heard:
        raise Stopped("nobody greets there")
    return heard.decode()


@attack(
    "R",
    "R",
    "-",
    "-",
    "rules of Landlock for TCP do not hold for MPTCP: so no socket may be made at all",
    optional=True,
)
def connect_by_mptcp(stage: Stage) -> str:
    return _optional(socket.AF_INET, socket.SOCK_STREAM, MPTCP, stage)


@attack("R", "R", "-", "-", SOCKETS, optional=True)
def connect_by_sctp(stage: Stage) -> str:
    return _optional(socket.AF_INET, socket.SOCK_STREAM, SCTP, stage)


@attack("R", "R", "-", "-", "as MPTCP: it is TCP underneath", optional=True)
def connect_by_smc(stage: Stage) -> str:
    return _optional(SMC, socket.SOCK_STREAM, 0, stage)


def _optional(family: int, kind: int, protocol: int, stage: Stage) -> str:
    try:
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT) and stage["profile"] == "plain":
            raise Absent(f"this kernel has no such protocol ({error.strerror})") from None
        raise
    return _talk(made, lambda made: made.connect(_tcp(stage)), stage)


@attack("R", "R", "-", "-", SOCKETS, witnessed=True)
def send_by_udp(stage: Stage) -> str:
    """A secret leaves in one datagram."""
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.sendto(stage["nonce"].encode(), ("127.0.0.1", stage["udp"]))
    return "sent"


@attack("R", "R", "-", "-", SOCKETS, witnessed=True)
def ask_by_dns(stage: Stage) -> str:
    """A secret leaves in a name that somebody's server is asked for."""
    question = (
        b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0"
        + bytes([len(stage["nonce"])])
        + stage["nonce"].encode()
        + b"\x07example\0\0\x01\0\x01"
    )
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.connect(("127.0.0.1", stage["udp"]))
        made.send(question)
    return "asked"


@attack("R", "R", "-", "-", SOCKETS)
def listen_by_tcp(stage: Stage) -> str:
    """Be a service of this machine, or have the secret fetched."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        return f"listens at {made.getsockname()[1]}"


@attack("R", "R", "-", "-", "no socket can be made; in the sandbox the path is not there")
def connect_to_socket_of_another(stage: Stage) -> str:
    """A service of the same user, by its path."""
    return _talk(socket.socket(socket.AF_UNIX), lambda made: made.connect(stage["unix"]), stage)


@attack("R", "R", "-", "-", "as above")
def connect_to_container_engine(stage: Stage) -> str:
    """A socket that everybody of a group may connect to, and who does is root."""
    return _talk(socket.socket(socket.AF_UNIX), lambda made: made.connect(stage["engine"]), stage)


@attack("R", "R", "-", "-", "as above", witnessed=True)
def send_to_socket_of_another(stage: Stage) -> str:
    """A datagram to a path, as to a system's log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.sendto(stage["nonce"].encode(), stage["unix_datagram"])
    return "sent"


@attack(
    "R",
    "R",
    "-",
    "-",
    "no socket can be made; Landlock scopes names without a path where the kernel has that",
)
def connect_to_abstract_name(stage: Stage) -> str:
    """A local socket that no directory protects."""
    return _talk(socket.socket(socket.AF_UNIX), lambda made: made.connect(f"\0{stage['abstract']}"), stage)


@attack("R", "R", "-", "-", "as above; in the sandbox's network the name is another one")
def squat_abstract_name(stage: Stage) -> str:
    """Be the service that others look for."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"\0{stage['nonce']}")
        made.listen()
        with open("/proc/net/unix") as file:
            if stage["abstract"] not in file.read():
                raise Stopped("bound in a network of its own")
    return "bound"


@attack("R", "R", "-", "-", "as for any path")
def give_orders_to_the_host(stage: Stage) -> str:
    """The operator's socket: `rookery stop` for everybody."""
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(2.0)
        made.connect(stage["control"])
        made.sendall(json.dumps({"command": "status"}).encode() + b"\n")
        heard = made.recv(65536)
    if b"attacker" not in heard:
        raise Stopped(f"the host said {heard[:100]!r}")
    return "the host has obeyed"


@attack("R", "R", "-", "-", SOCKETS)
def ask_the_kernel_for_the_network(stage: Stage) -> str:
    """Which interfaces, routes and neighbours there are."""
    return _bind_netlink(0, stage)


@attack("R", "R", "-", "-", SOCKETS, optional=True)
def ask_the_kernel_for_sockets(stage: Stage) -> str:
    """Who on this machine talks to whom."""
    return _bind_netlink(4, stage)


@attack("R", "R", "-", "-", SOCKETS, optional=True)
def hear_of_devices(stage: Stage) -> str:
    """What is plugged in, as the kernel tells it."""
    return _bind_netlink(15, stage)


def _bind_netlink(family: int, stage: Stage) -> str:
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT and stage["profile"] == "plain":
            raise Absent("this kernel tells nothing of it") from None
        raise
    with made:
        made.bind((0, 0))
    return "a socket to the kernel"


@attack("R/-", "R/-", "-", "-", "a capability that no shard has, and no socket can be made")
def send_raw_packets(stage: Stage) -> str:
    """Any packet with any sender."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    return "a raw socket"


@attack("R/-", "R/-", "-", "-", "as above", optional=True)
def listen_to_all_packets(stage: Stage) -> str:
    """What everybody on this machine sends."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    return "a packet socket"


@attack(
    "R",
    "R",
    "-",
    "-",
    "neither Landlock nor a name space knows these; the filter refuses the socket",
    optional=True,
)
def reach_the_hypervisor(stage: Stage) -> str:
    """A socket that leads out of the machine, past its network. It is bound and used for nothing."""
    try:
        made = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    except OSError as error:
        if stage["profile"] == "plain":
            raise Absent(f"this machine has no such socket ({error.strerror})") from None
        raise
    with made:
        made.bind((0xFFFFFFFF, 0xFFFFFFFF))
    return "a socket to outside of the machine"


@attack("R", "R", "-", "-", "as any socket", optional=True)
def speak_an_odd_language(stage: Stage) -> str:
    """Families that nobody thinks of, in kernel code that nobody reads: ciphers, Bluetooth, CAN."""
    met = []
    for family, kind in ((38, socket.SOCK_SEQPACKET), (31, socket.SOCK_RAW), (29, socket.SOCK_RAW)):
        try:
            socket.socket(family, kind, 0).close()
        except OSError as error:
            met.append(error)
            continue
        return f"a socket of family {family}"
    if stage["profile"] == "plain":
        raise Absent(f"none of them is in this kernel: {met[0].strerror}")
    raise Stopped(f"none of them: {met[0].strerror}")


@attack(
    ".",
    "L",
    "L",
    "L",
    "the host takes no descriptors, and ends whoever breaks the protocol",
    dies=True,
    fresh=True,
)
def stuff_the_host_with_descriptors(stage: Stage) -> str:
    """Descriptors that are sent along with a byte stay open at the other end, if they are taken."""
    link = _connection_to_the_host()
    passed = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
    for _ in range(5):
        try:
            link.sendmsg([b"\xff"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed))])
        except PermissionError:  # the kernel refuses them for the host, from Linux 6.16 on
            link.sendall(b"\xff\xff\xff\xff\xff")
    for each in passed:
        os.close(each)
    time.sleep(3.0)  # the host ends this process within
    raise Stopped("sent, and nothing came of it")


def _connection_to_the_host() -> socket.socket:
    for number in range(3, 64):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            found = socket.socket(fileno=os.dup(number))
            peer = struct.unpack("iii", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        except OSError:
            continue
        if peer != os.getpid():  # those that the loop wakes itself with are its own
            return found
        found.close()
    raise Stopped("there is no connection")


@attack("R", "R", "-", "-", SOCKETS)
def scan_ports(stage: Stage) -> str:
    """Which services there are on the machine, many at once."""
    ports = (21, 23, 25, 53, 110, 143, 631, stage["tcp"])  # none that another test may just have been given
    made = [socket.socket() for _ in ports]
    try:
        for port, each in zip(ports, made, strict=True):
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        _, ready, _ = select.select([], made, [], 1.0)
        is_open = [each for each in ready if each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0]
    finally:
        for each in made:
            each.close()
    if not is_open:
        raise Stopped("none answers")
    return f"{len(is_open)} open"
