"""How is one zygote talked to: the warm process from which runners are forked?

What it is stands in ``runner/zygote.py``. It is a child of the host as a runner is: started, watched, killed and reaped by the
same means. An order that it refuses has done nothing. One that it does not answer may have been carried out: then the zygote
is killed, so that it cannot be any more, and whatever has come of it is to be ended by whoever gave the order.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .isolation import child_environment
from .process import Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .process import Process

ZYGOTE_NAME = "~zygote"
"""In the place of a shard's: no shard can be called that."""

ZYGOTE_FLAG = "--zygote"
"""What makes a runner's program a zygote, with the numbers of its two descriptors behind it."""

ANSWER_LIMIT = 0.5
"""Seconds for an answer, which takes some milliseconds; without one the zygote is taken for hung."""

PRELUDE_LIMIT = 30.0
"""Seconds for it to become warm."""

MAX_ANSWER_BYTES = 65_536
TAIL_BYTES = 4096
"""Of what it has written, for the line about its death."""

PRELOAD_VARIABLE = "ROOKERY_PRELOAD"
"""Names the modules that a zygote imports before it forks; no runner gets it."""

_SPARE = {"ROOKERY_SPARE": "-" * 512}
"""Room for the environment of a runner where the zygote shows its own: the name of the run is not in the zygote's."""

_SPARE_ARGUMENT = "-" * 128

_SHAPING = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_")
"""Variables that an interpreter goes by when it starts: with others than the zygote's, a runner cannot be forked from it."""


class NoZygote(Exception):
    """There is none that could carry out this order; nothing has happened. The text says why."""


class OrderLost(OSError):
    """Nobody knows whether the order was carried out."""


@attrs.frozen(kw_only=True)
class Order:
    """What a runner is to be."""

    arguments: tuple[str, ...]
    """Behind the name of the program."""
    shown: tuple[str, ...]
    """The whole command, for people."""
    environment: Mapping[str, str] = attrs.field(repr=False)
    descriptors: Mapping[int, int]
    """What it has, by the number under which it has it."""


@attrs.frozen
class Forked:
    """A runner that was forked, now a child of this process."""

    pid: int
    pidfd: int | None
    """The receiver closes it."""


class Zygote:
    """One such process. ``reap`` must be called in the end.

    Args:
        spawn: Starts it.
        command: Of a runner, without its arguments.
        preloads: Modules that its runners are going to import.

    Raises:
        OSError: It cannot be started; nothing is left of it.
    """

    def __init__(
        self,
        spawn: Callable[[Launch], Process],
        command: tuple[str, ...],
        run: str,
        preloads: Sequence[str] = (),
    ) -> None:
        self._environment = child_environment(os.environ)
        with ExitStack() as on_failure, ExitStack() as childs:
            self._orders, its_orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            childs.callback(its_orders.close)
            on_failure.callback(self._orders.close)
            lifeline, self._guard = os.pipe()
            childs.callback(os.close, lifeline)
            on_failure.callback(os.close, self._guard)
            self._words, words = os.pipe()
            childs.callback(os.close, words)
            on_failure.callback(os.close, self._words)
            for end in (self._words, words):  # nobody reads while it lives, and so it must not wait for that
                os.set_blocking(end, False)
            self._orders.setblocking(False)
            numbers = (str(its_orders.fileno()), str(lifeline))
            self._process = spawn(
                Launch(
                    command=(*command, ZYGOTE_FLAG, *numbers, _SPARE_ARGUMENT),
                    environment={**self._environment, **_SPARE, PRELOAD_VARIABLE: ",".join(preloads)},
                    stdout=words,
                    stderr=words,
                    inherited=(its_orders.fileno(), lifeline),
                    run=run,
                )
            )
            on_failure.pop_all()
        self.fault = ""
        """Why the host has killed it; "" when it has not."""
        self.has_order = False
        """It was sent one and has not answered yet."""

    def __repr__(self) -> str:
        return f"<Zygote {self.pid}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_warm(self) -> bool:
        """Whether it has become able to fork."""
        with trio.move_on_after(PRELUDE_LIMIT):
            await trio.lowlevel.wait_readable(self._orders)
        try:
            return bool(self._orders.recv(MAX_ANSWER_BYTES))
        except OSError:
            return False

    async def fork(self, order: Order) -> Forked:
        """Have a runner forked. One order at a time. Not cancelled; takes half a second at most.

        Raises:
            NoZygote: It was not.
            OrderLost: Perhaps it was; the zygote has been killed.
        """
        self._send(order)
        self.has_order = True
        with trio.CancelScope(shield=True):
            with trio.move_on_after(ANSWER_LIMIT):
                await trio.lowlevel.wait_readable(self._orders)
        self.has_order = False
        try:
            text, pidfds, _, _ = socket.recv_fds(self._orders, MAX_ANSWER_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            self.fault = f"was killed because it did not answer within {ANSWER_LIMIT:g} s"
            self.kill()
            raise OrderLost(0, f"the zygote {self.fault}") from None
        except OSError:
            text = b""
        if not text:
            self.kill()
            raise OrderLost(0, "the zygote died")
        answer: dict[str, Any] = json.loads(text)
        if "pid" in answer:
            return Forked(answer["pid"], pidfds[0] if pidfds else None)
        if "refused" in answer:
            raise NoZygote(answer["refused"])
        self.fault = f"was killed because it lost an order: {answer.get('lost')}"
        self.kill()
        raise OrderLost(0, f"the zygote {self.fault}")

    def _send(self, order: Order) -> None:
        for name in order.environment.keys() | self._environment.keys():
            if name.startswith(_SHAPING) and order.environment.get(name) != self._environment.get(name):
                raise NoZygote(f"{name} is not what it was when the zygote started")
        try:
            text = json.dumps(
                {
                    "arguments": order.arguments,
                    "shown": order.shown,
                    "environment": dict(order.environment),
                    "directory": os.getcwd(),
                    "descriptors": list(order.descriptors),
                }
            )
            socket.send_fds(self._orders, [text.encode()], list(order.descriptors.values()))
        except (
            OSError
        ) as error:  # it is dead, the order is larger than a message may be, the directory is gone
            raise NoZygote(f"the order cannot be sent: {error.strerror}") from None

    async def wait_dead(self) -> None:
        await self._process.wait_dead()

    def kill(self) -> None:
        """SIGKILL to it and to what it is just forking."""
        self._process.kill()

    def reap(self) -> int | None:
        """Take its status when it is dead, end what is left of it, and close what connects it."""
        self._process.sweep()
        status = self._process.reap()
        if status is None:
            self._process.abandon()
        self._orders.close()
        os.close(self._guard)
        os.close(self._words)
        return status

    def last_words(self) -> str:
        """The last line that it has written; "" for none."""
        try:
            lines = os.read(self._words, 65_536)[-TAIL_BYTES:].decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
