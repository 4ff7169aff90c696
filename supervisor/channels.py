"""Which descriptors connect a host with one runner, and who closes them?"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .guarded_socket import open_link_pair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .page import Page
    from .reception import Reception

_FIRST_FREE = 3
"""Below it are the three standard descriptors, which mean something else in the child. A host that was started without
them would get these numbers for its own."""


class Channels:
    """The descriptors between a host and one runner, all of them CLOEXEC.

    The child's ends are open until ``close_child_ends``, which the host calls as soon as the child has its own;
    ``close`` closes whatever is left. The link's socket may be closed earlier by its owner.

    Attributes:
        socket: The host's end of the link.
        link: The child's end of it, as a number.
        lifeline: The child's end of a pipe that nobody writes to: it ends when the host does.
        out, err: The read ends of the output pipes. Both sides hold them, and they never block: the runner reads its
            own output, and the host reads what is left when the runner is dead.
        stdout, stderr: The write ends, the child's descriptors 1 and 2.
        terminal: The terminal's descriptors as the child knows them.
        page: The shared page, as a number; None without one. Its owner closes it.
        reception: Where a runner that inherits no link is awaited; None for the others.
        ping: The child's end of the pipe that ``ask`` writes to; None without a page, where the answer stands.

    Raises:
        OSError: There are no descriptors left; none of these stays open then.
    """

    def __init__(self, terminal: Mapping[str, int], page: Page | None = None) -> None:
        self.page = page.descriptor if page is not None else None
        self.reception: Reception | None = None
        self._ours = ExitStack()
        self._childs = ExitStack()
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            self.socket, child_socket = open_link_pair()
            self._ours.callback(self.socket.close)
            self.link = self._own(self._childs, child_socket.detach())
            self.lifeline, guard = os.pipe()
            self._ours.callback(os.close, guard)
            self.lifeline = self._own(self._childs, self.lifeline)
            self.out, self.stdout = self._output_pipe()
            self.err, self.stderr = self._output_pipe()
            self.ping: int | None = None
            if page is not None:
                self.ping, self._questions = os.pipe()
                self._questions = self._own(self._ours, self._questions)
                self.ping = self._own(self._childs, self.ping)
                os.set_blocking(self._questions, False)
            self.terminal = {name: self._copy(descriptor) for name, descriptor in terminal.items()}
            on_failure.pop_all()

    @property
    def inherited(self) -> tuple[int, ...]:
        """What the child inherits under the same number."""
        optional = (each for each in (self.page, self.ping) if each is not None)
        return (self.link, self.lifeline, self.out, self.err, *optional, *self.terminal.values())

    def ask(self) -> bool:
        """Have the runner show on its page that it is there; whether it was asked. Only while these are open."""
        if self.ping is None:
            return False
        try:
            return os.write(self._questions, b"?") == 1
        except OSError:
            return False  # it has answered none of the last ten thousands, or is dead

    def receive_at(self, reception: Reception) -> None:
        """The link comes from there: it takes the place of the socket here. The reception is owned by these from now on."""
        self.reception = reception
        self._ours.callback(reception.close)

    def close_child_ends(self) -> None:
        self._childs.close()

    def close(self) -> None:
        """Close everything that is still open; doing it twice is fine."""
        self._childs.close()
        self._ours.close()

    def _output_pipe(self) -> tuple[int, int]:
        read_end, write_end = os.pipe()
        write_end = self._own(self._childs, write_end)
        read_end = self._own(self._ours, read_end)
        os.set_blocking(read_end, False)
        return read_end, write_end

    def _copy(self, descriptor: int) -> int:
        copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
        self._childs.callback(os.close, copy)
        return copy

    def _own(self, owner: ExitStack, descriptor: int) -> int:
        """The descriptor, under another number if need be; the owner closes it."""
        if descriptor < _FIRST_FREE:
            try:
                moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
            finally:
                os.close(descriptor)
            descriptor = moved
        owner.callback(os.close, descriptor)
        return descriptor
