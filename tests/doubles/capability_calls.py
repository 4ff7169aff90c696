"""A runner that calls capabilities over a real pair of sessions, without a socket, and a host with recorded powers."""

from __future__ import annotations

from typing import Any

import attrs
import trio

from rookery.protocol import (
    CAP_CALL,
    RemoteError,
    Request,
    RequestSettled,
    RookeryError,
    Session,
)
from rookery.supervisor.capabilities import CapabilityTable
from rookery.supervisor.platform.departure import Sending
from tests.doubles.sessions import asked, open_sessions, pass_on


@attrs.define
class FakeLink:
    """As much of a link as a request needs."""

    session: Session
    is_closed: bool = False

    def wake_writer(self) -> None:
        pass


class Caller:
    """The runner's side: ``call`` hands a request to the table, ``outcome`` waits for what came back."""

    def __init__(self, table: CapabilityTable, *, max_frame_bytes: int = 16 * 1024 * 1024) -> None:
        self.table = table
        self.host, self.runner = open_sessions(max_frame_bytes=max_frame_bytes)
        self.link = FakeLink(self.host)
        self.answers = 0
        self._outcomes: dict[int, Any] = {}

    def call(self, name: Any, args: Any = None, *, plugin_id: str = "a.b", timeout_ms: int = 30_000) -> int:
        """Send one call; the table has handled it when this returns."""
        payload = {"capability": name, "args": {} if args is None else args}
        request_id = self.runner.request(CAP_CALL, payload, plugin_id=plugin_id, timeout_ms=timeout_ms)
        for received in asked(pass_on(self.runner, self.host)):
            self.table.handle(Request(self.link, received, trio.current_time()), "shard")  # type: ignore[arg-type]
        return request_id

    def has_outcome(self, request_id: int) -> bool:
        """True once an answer or an error came back."""
        for item in pass_on(self.host, self.runner):
            if isinstance(item, RequestSettled):
                self.answers += 1
                self._outcomes[item.pending.request_id] = item.outcome
        return request_id in self._outcomes

    async def outcome(self, request_id: int) -> Any:
        """The result, or the error as a value."""
        while not self.has_outcome(request_id):
            await trio.lowlevel.checkpoint()
        outcome = self._outcomes[request_id]
        if isinstance(outcome, RookeryError):
            return outcome
        assert outcome["success"] is True
        return outcome["result"]

    async def ask(self, name: Any, args: Any = None, **options: Any) -> Any:
        """Call and wait."""
        return await self.outcome(self.call(name, args, **options))

    async def refusal(self, name: Any, args: Any = None, **options: Any) -> RemoteError:
        """Call, wait, and insist on an error."""
        outcome = await self.ask(name, args, **options)
        assert isinstance(outcome, RemoteError), outcome
        return outcome


@attrs.define
class FakePowers:
    """A host that writes down what it is asked to do."""

    sent: list[dict[str, Any]] = attrs.Factory(list)
    shared: set[tuple[str, str]] = attrs.Factory(set)
    """Plugin and table."""
    readers: set[tuple[str, str]] = attrs.Factory(set)
    """Plugin and the one whose configuration it may read."""
    sendings: list[Sending] = attrs.Factory(list)
    configs: dict[str, dict[str, Any]] = attrs.Factory(dict)
    shown_config: dict[str, Any] = attrs.Factory(dict)

    async def send_text(
        self, session_id: str, text: str, *, plugin_id: str, sending: Sending
    ) -> dict[str, Any]:
        reply_to = sending.reply_message_id or None
        self.sent.append(
            {"session_id": session_id, "text": text, "plugin_id": plugin_id, "reply_to": reply_to}
        )
        self.sendings.append(sending)
        return {"success": True, "message_id": "out-1"}

    def config_of(self, plugin_id: str) -> dict[str, Any]:
        return self.configs.get(plugin_id, {})

    def may_read_config(self, plugin_id: str, target: str) -> bool:
        return plugin_id == target or (plugin_id, target) in self.readers

    def table_owner(self, plugin_id: str, table: str) -> str:
        return "*" if (plugin_id, table) in self.shared else plugin_id

    def global_config(self) -> dict[str, Any]:
        return self.shown_config


@attrs.define
class FakePictures(FakePowers):
    """A host that also sends segments."""

    async def send_segments(
        self,
        session_id: str,
        segments: list[dict[str, Any]],
        *,
        text: str,
        plugin_id: str,
        sending: Sending,
    ) -> dict[str, Any]:
        self.sendings.append(sending)
        self.sent.append(
            {"session_id": session_id, "segments": segments, "text": text, "plugin_id": plugin_id}
        )
        return {"success": True, "message_id": "out-2"}
