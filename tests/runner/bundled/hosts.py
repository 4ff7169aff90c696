"""What gateways tell a host, remembered."""

from __future__ import annotations

import attrs
import trio

from rookery.protocol import MessageMap, message_text

TIMEOUT = 10.0


@attrs.define(eq=False)
class FakeHost:
    """Accepts every message after a turn of the loop, and remembers in which order it was asked."""

    messages: list[MessageMap] = attrs.Factory(list)
    reports: list[tuple[bool, dict[str, str]]] = attrs.Factory(list)
    errors: list[Exception] = attrs.Factory(list)
    """Raised to the next messages instead of an answer, first come first served."""
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)

    async def route(self, message: MessageMap) -> bool:
        error = self.errors.pop(0) if self.errors else None
        if error is None:
            self.messages.append(message)
            self._changed.unpark_all()
        await trio.lowlevel.checkpoint()
        if error is not None:
            raise error
        return True

    async def report(self, *, ready: bool, account: str, details: dict[str, str]) -> None:
        self.reports.append((ready, {"account": account, **details}))
        self._changed.unpark_all()
        await trio.lowlevel.checkpoint()

    @property
    def accounts(self) -> list[tuple[bool, str]]:
        """The reports without their details."""
        return [(ready, told["account"]) for ready, told in self.reports]

    @property
    def texts(self) -> list[str]:
        return [message_text(message) for message in self.messages]

    async def wait_reports(self, count: int) -> None:
        """Wait until so many reports have come."""
        with trio.fail_after(TIMEOUT):
            while len(self.reports) < count:
                await self._changed.park()

    async def wait_messages(self, count: int, timeout: float = TIMEOUT) -> None:
        """Wait until so many messages have come."""
        with trio.fail_after(timeout):
            while len(self.messages) < count:
                await self._changed.park()
