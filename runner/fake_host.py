"""What is a host to a plugin under test: it keeps what it is told, answers at once, and grants what the manifest asks for."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs
import trio

from rookery.protocol import (
    CAP_CALL,
    ROUTE_MESSAGE,
    BadPayload,
    CannotEncode,
    ErrorCode,
    FrameTooLarge,
    Method,
    RemoteError,
    RookeryError,
    decode_value,
    encode_value,
    limits,
    validate_message,
)

from .border import PluginFailed, log_failure, run_guarded
from .capabilities import Row
from .fake_records import FakeRecords
from .message import Message
from .web import Fetched


@attrs.frozen
class Sent:
    """One text that a plugin has sent."""

    text: str
    session_id: str
    reply_to: str | None = None
    """The id of the message that it answers; ``None`` for none."""


@attrs.frozen(kw_only=True)
class Published:
    """What became of an event or a hook that a test has sent to the plugin."""

    message: Message | None = None
    """The message as it left the last handler that may change it; ``None`` when there was none."""
    arguments: dict[str, Any] = attrs.Factory(dict)
    """A hook's arguments after its handlers."""
    stopped: bool = False
    """A handler stopped the event or aborted the hook; ``reason`` may say why."""
    reason: Any = None
    results: tuple[Any, ...] = ()
    """What handlers said besides, in their order."""


@attrs.define(eq=False)
class FakeHost:
    """Implements ``HostServices`` without a host.

    Args:
        capabilities: Services that a test plays itself, by name: functions of their arguments, plain or ``async``. They go
            before those of the fake.
        granted: Patterns of what the manifest asks for.
    """

    nursery: trio.Nursery
    granted: tuple[str, ...] = ("*",)
    capabilities: Mapping[str, Callable[..., Any]] = attrs.Factory(dict)
    terminal: Mapping[str, int] = attrs.Factory(dict)
    command_prefix: str = "!"
    global_config: dict[str, Any] = attrs.Factory(dict)
    """What ``ctx.config.get`` finds, by dotted key."""
    sent: list[Sent] = attrs.Factory(list)
    routed: list[Message] = attrs.Factory(list)
    """Messages that a gateway plugin has handed over, each key once."""
    gateways: dict[str, dict[str, Any]] = attrs.Factory(dict)
    """The last state that each gateway has reported."""
    database: dict[str, dict[str, Row]] = attrs.Factory(dict)
    """Table to key to row."""
    records: FakeRecords = attrs.Factory(FakeRecords)
    web: dict[str, Fetched | bytes | str] = attrs.Factory(dict)
    """What ``ctx.http.fetch`` finds, by address: an answer, or the body of a good one. Other addresses are not allowed."""
    failures: list[PluginFailed] = attrs.Factory(list)
    """Of background tasks."""
    _seen: set[str] = attrs.Factory(set)

    async def call(
        self, method: str, plugin_id: str, payload: dict[str, Any], timeout: float | None = None
    ) -> dict[str, Any]:
        # Packed and unpacked as by a link, so that what cannot be sent fails in the test already.
        request = decode_value(encode_value(payload))
        await trio.lowlevel.checkpoint()
        if method == CAP_CALL:
            result = await self._serve(request["capability"], request["args"])
            return {"success": True, "result": decode_value(encode_value(result))}
        return self._hear(method, request)

    def send(
        self,
        method: str,
        plugin_id: str,
        payload: dict[str, Any],
        on_done: Callable[[dict[str, Any] | RookeryError], None],
        timeout: float,
    ) -> None:
        request = decode_value(encode_value(payload))

        async def settle() -> None:
            try:
                answer = self._hear(method, request)
            except RookeryError as error:
                on_done(error)
            else:
                on_done(answer)

        self.nursery.start_soon(settle)

    def extend_loading(self, plugin_id: str, seconds: float) -> None:
        """A test has no limit for loading."""

    def start_task(
        self, plugin_id: str, func: Callable[..., Any], *args: Any, name: str | None = None
    ) -> None:
        self.nursery.start_soon(self._run_task, plugin_id, func, args, name, name=name)

    async def _run_task(
        self, plugin_id: str, func: Callable[..., Any], args: tuple[Any, ...], name: str | None
    ) -> None:
        try:
            await run_guarded(plugin_id, func, *args)
        except PluginFailed as failure:
            log_failure(plugin_id, f"the task {name or getattr(func, '__name__', func)!r}", failure)
            self.failures.append(failure)

    def _hear(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        if method != ROUTE_MESSAGE:
            self.gateways[request["gateway_name"]] = request
            return {"accepted": True, "ready": request["ready"]}
        try:
            validate_message(request["message"])
        except BadPayload as error:
            raise RemoteError(ErrorCode.E_BAD_PAYLOAD, f"message.{error}", {"path": error.path}) from None
        key = request["dedupe_key"] or request["message"]["message_id"]
        if key in self._seen:
            return {"accepted": False}
        self._seen.add(key)
        self.routed.append(Message(request["message"]))
        return {"accepted": True}

    async def _serve(self, capability: str, args: dict[str, Any]) -> Any:
        if not any(fnmatchcase(capability, pattern) for pattern in self.granted):
            granted = ", ".join(self.granted) or "nothing"
            raise RemoteError(
                ErrorCode.E_CAPABILITY_DENIED, f"{capability} is not granted; the manifest asks for {granted}"
            )
        own = self.capabilities.get(capability)
        if own is not None:
            result = own(**args)
            return await result if inspect.isawaitable(result) else result
        serve = _SERVICES.get(capability)
        if serve is None:
            raise RemoteError(
                ErrorCode.E_CAPABILITY_FAILED,
                f"the fake host has no {capability}: play it by run_plugin(…, capabilities={{{capability!r}: function}})",
            )
        try:
            return serve(self, **args)
        except TypeError as error:  # an argument too many or too few
            raise RemoteError(ErrorCode.E_BAD_PAYLOAD, f"{capability}: {error}") from error

    # --- the services; their arguments have the names of the wire --------------------------------------------------

    def _send_text(self, text: str, stream_id: str, reply_to: str | None = None) -> dict[str, Any]:
        if type(text) is not str:
            raise CannotEncode(f"send.text takes a text, got {type(text).__name__}")
        self.sent.append(Sent(text, stream_id, reply_to))
        return {"success": True, "message_id": f"sent-{len(self.sent)}"}

    def _put_row(self, table: str, key: str, row: Row) -> dict[str, Any]:
        self.database.setdefault(table, {})[key] = row
        return {"success": True}

    def _get_row(self, table: str, key: str) -> dict[str, Any]:
        return {"row": self.database.get(table, {}).get(key)}

    def _find_rows(self, table: str, limit: int = 1000, prefix: str = "") -> dict[str, Any]:
        rows = sorted(self.database.get(table, {}).items())
        return {"rows": [{**row, "key": key} for key, row in rows if key.startswith(prefix)][:limit]}

    def _delete_row(self, table: str, key: str) -> dict[str, Any]:
        return {"deleted": self.database.get(table, {}).pop(key, None) is not None}

    def _increment_row(self, table: str, key: str, fields: dict[str, float]) -> dict[str, Any]:
        row = self.database.setdefault(table, {}).setdefault(key, {})
        for name, step in fields.items():
            row[name] = row.get(name, 0) + step
        return {"row": row}

    def _count_rows(self, table: str) -> dict[str, Any]:
        return {"count": len(self.database.get(table, {}))}

    def _sum_rows(self, table: str, field: str) -> dict[str, Any]:
        return {"sum": sum(row.get(field, 0) for row in self.database.get(table, {}).values())}

    def _fetch(self, url: str, **asked: Any) -> dict[str, Any]:
        found = self.web.get(url)
        if found is None:
            text = f"the fake host may not have {url} asked: say what it answers by host.web[{url!r}] = ..."
            raise RemoteError(ErrorCode.E_CAPABILITY_DENIED, text)
        if not isinstance(found, Fetched):
            found = Fetched(status=200, url=url, body=found.encode() if isinstance(found, str) else found)
        return {"success": True, "answer": attrs.asdict(found)}

    def _config_get(self, key: str, default: Any = None) -> dict[str, Any]:
        return {"success": True, "value": self.global_config.get(key, default)}


_request_ids = itertools.count(1)


class FakeRequest:
    """A request that nobody sent; its answer stays here."""

    def __init__(self, method: Method, payload: dict[str, Any]) -> None:
        self.method = method
        self.request_id = next(_request_ids)
        self.plugin_id = ""
        self.payload = decode_value(encode_value(payload))
        self.timeout_ms = limits.DEFAULT_TIMEOUT_MS
        self.received_at = trio.current_time()
        self.answered: dict[str, Any] | None = None
        self.error: RookeryError | None = None

    def answer(self, payload: dict[str, Any]) -> None:
        packed = encode_value(payload)
        if len(packed) > limits.MAX_FRAME_BYTES:
            raise FrameTooLarge(len(packed), limits.MAX_FRAME_BYTES)
        self.answered = decode_value(packed)

    def refuse(self, code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> None:
        self.error = RemoteError(code, message, details)

    def refuse_bad_payload(self, error: BadPayload) -> None:
        self.refuse(ErrorCode.E_BAD_PAYLOAD, str(error), {"path": error.path})


_SERVICES: dict[str, Callable[..., Any]] = {
    "send.text": FakeHost._send_text,
    "database.put_row": FakeHost._put_row,
    "database.get_row": FakeHost._get_row,
    "database.find_rows": FakeHost._find_rows,
    "database.delete_row": FakeHost._delete_row,
    "database.increment_row": FakeHost._increment_row,
    "database.count_rows": FakeHost._count_rows,
    "database.sum_rows": FakeHost._sum_rows,
    "database.query": lambda host, **args: host.records.query(**args),
    "database.save": lambda host, **args: host.records.save(**args),
    "database.get": lambda host, **args: host.records.get(**args),
    "database.delete": lambda host, **args: host.records.delete(**args),
    "database.count": lambda host, **args: host.records.count(**args),
    "config.get": FakeHost._config_get,
    "http.fetch": FakeHost._fetch,
}
