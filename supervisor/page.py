"""Where does the host read what a runner writes about itself: a page of memory that both have?

The layout is the protocol's (``rookery.protocol.page``). The runner maps the page. The host reads it with ``pread`` and
never maps it: a runner could cut the file, and touching a mapped page that is gone kills whoever touches it. On Linux the
file is sealed against that as well.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile

from rookery.protocol import page as layout

_LOG = logging.getLogger(__name__)

_FIRST_FREE = 3
"""Below it are the standard descriptors, which mean something else in the child."""


class Page:
    """The host's end of one page. It owns the descriptor.

    Args:
        descriptor: Of a file that ``open_page`` made; the runner inherits it under the same number.
        slots: How many started slots it has.
    """

    def __init__(self, descriptor: int, slots: int) -> None:
        self.descriptor = descriptor
        self._slots = slots

    def __repr__(self) -> str:
        return f"<Page {self.descriptor} with {self._slots} slots>"

    def read_head(self) -> layout.PageHead | None:
        """The beats and the crumb; None when the runner has made it unreadable."""
        return layout.parse_head(self.read_raw_head())

    def read_raw_head(self) -> bytes:
        """The same, for ``parse_head`` of the layout; shorter when it cannot be read. Takes a microsecond."""
        return self._read(layout.STARTED_AT)

    def read_started(self) -> frozenset[int] | None:
        """The requests whose handlers have begun, and answered ones; None when nobody can say."""
        data = self._read(layout.page_bytes(self._slots))
        return layout.parse_started(data) if layout.slots_of(data) == self._slots else None

    def close(self) -> None:
        """Give the descriptor back; twice is fine."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _read(self, size: int) -> bytes:
        try:
            return os.pread(self.descriptor, size, 0)
        except OSError:
            return b""


def open_page(slots: int) -> Page | None:
    """Make a page with so many started slots; None, and one warning in the log, when the system gives none.

    Without a page nobody sees whether the runner hangs, and what it was doing when it died is known less exactly.
    """
    try:
        descriptor = _above_standard(_make_file())
    except OSError as error:
        _LOG.warning("no shared page (%s): a runner that hangs is not noticed", error.strerror)
        return None
    try:
        os.pwrite(descriptor, layout.new_page(slots), 0)
        _seal(descriptor)
    except OSError as error:
        os.close(descriptor)
        _LOG.warning("no shared page (%s): a runner that hangs is not noticed", error.strerror)
        return None
    return Page(descriptor, slots)


def _make_file() -> int:
    """A file without a name, closed in every child that is not given it."""
    if hasattr(os, "memfd_create"):
        try:
            return os.memfd_create("rookery-page", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            pass  # an old kernel, or a sandbox: a file does as well
    with tempfile.TemporaryFile() as file:
        return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)


def _above_standard(descriptor: int) -> int:
    if descriptor >= _FIRST_FREE:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    finally:
        os.close(descriptor)


def _seal(descriptor: int) -> None:
    if hasattr(fcntl, "F_ADD_SEALS"):
        try:
            fcntl.fcntl(
                descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            )
        except OSError:
            pass  # an ordinary file has none; the host never maps it, so nothing of the host's depends on them
