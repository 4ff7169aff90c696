"""How is an OpenAI-compatible endpoint asked, again when it is busy, and how does nothing of its key or its size get out?

httpx is imported when it is opened, which is when a model is configured that needs it.
"""

from __future__ import annotations

import email.utils
import json
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from ..authorities import reason_of, trusted_authorities
from . import openai
from .failure import LlmFailed, LlmKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import httpx

    from .conversation import Answer, Audio, Question, Vectors
    from .settings import ModelSettings

T = TypeVar("T")

MAX_ANSWER_BYTES = 12 * 1024 * 1024
"""Of an answer. It has to fit into a frame with something around it."""

CONNECT_TIMEOUT = 10.0
FIRST_PAUSE = 0.5
"""Seconds before the second try; twice as many before each further one, with some chance in it."""

LONGEST_PAUSE = 30.0
"""A provider that wants to be left alone for longer is not waited for: its caller hears how long."""

BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""Answers after which the same question is asked again."""

_KINDS = {
    401: LlmKind.NOT_CONFIGURED,
    403: LlmKind.NOT_CONFIGURED,
    404: LlmKind.NOT_CONFIGURED,
    408: LlmKind.TIMEOUT,
    429: LlmKind.RATE_LIMITED,
}


@attrs.frozen
class _Sent:
    """What is posted."""

    path: str
    arguments: Mapping[str, Any]
    """Of httpx: ``content``, or ``files`` and ``data``."""
    headers: Mapping[str, str] = attrs.Factory(dict)


class HttpProvider:
    """Asks endpoints, all by one pool of connections.

    Args:
        directory: What the paths of key files are relative to.
        environ: Where keys stand; read at each question, so that a new key needs no restart.
    """

    def __init__(self, directory: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._directory = directory
        self._environ = environ
        self._client: httpx.AsyncClient | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the connections, until cancelled."""
        import httpx

        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT)
        headers = {"Accept-Encoding": "identity"}  # an answer is as large as it says
        async with httpx.AsyncClient(
            timeout=timeout, headers=headers, verify=trusted_authorities()
        ) as client:
            self._client = client
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._client = None

    # --- questions ---------------------------------------------------------------------------------------------

    async def generate(self, name: str, model: ModelSettings, question: Question) -> Answer:
        """An answer.

        Raises:
            LlmFailed: There is none.
        """
        wire_name = model.model or name
        sent = _json(openai.CHAT_PATH, openai.chat_body(question, model, wire_name))
        return await self._ask(model, sent, lambda data: openai.read_chat(data, wire_name))

    async def embed(self, name: str, model: ModelSettings, texts: Sequence[str]) -> Vectors:
        """The vectors of texts; raises as ``generate``."""
        wire_name = model.model or name
        sent = _json(openai.EMBEDDING_PATH, openai.embedding_body(texts, model, wire_name))
        return await self._ask(model, sent, lambda data: openai.read_embedding(data, len(texts), wire_name))

    async def transcribe(self, name: str, model: ModelSettings, audio: Audio) -> str:
        """What was said; raises as ``generate``."""
        data = {**{key: str(value) for key, value in model.extra.items()}, "model": model.model or name}
        sent = _Sent(openai.SPEECH_PATH, {"files": {"file": (audio.file_name, audio.data)}, "data": data})
        return await self._ask(model, sent, openai.read_speech)

    # --- inside ------------------------------------------------------------------------------------------------

    async def _ask(self, model: ModelSettings, sent: _Sent, read: Callable[[bytes], T]) -> T:
        """Ask until there is an answer or no sense in asking again. The caller's own time ends it from outside."""
        key = self._key_of(model)
        try:
            return await _persist(lambda: self._ask_once(model, sent, key, read), model.retries)
        except LlmFailed as failure:
            raise _without(failure, key) from None

    async def _ask_once(self, model: ModelSettings, sent: _Sent, key: str, read: Callable[[bytes], T]) -> T:
        try:
            with trio.fail_after(model.timeout):
                status, headers, data = await self._post(model, sent, key)
        except trio.TooSlowError:
            text = f"{_host_of(model)} did not answer within {model.timeout:g} s"
            raise LlmFailed(LlmKind.TIMEOUT, text) from None
        if status == 200:
            return read(data)
        # Before it is cut: half a key is one too.
        said = data.replace(key.encode(), b"***") if key else data
        raise _refusal(_host_of(model), status, headers, said)

    async def _post(
        self, model: ModelSettings, sent: _Sent, key: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        import httpx

        if self._client is None:
            raise LlmFailed(LlmKind.UNAVAILABLE, "the host is stopping")
        assert model.base_url is not None, "the configuration was checked"
        url = model.base_url.rstrip("/") + sent.path
        headers = {**sent.headers, **({"Authorization": f"Bearer {key}"} if key else {})}
        try:
            async with self._client.stream("POST", url, headers=headers, **sent.arguments) as response:
                return response.status_code, response.headers, await _read(response, _host_of(model))
        except httpx.ConnectError as error:
            text = f"{_host_of(model)} cannot be reached: {reason_of(error)}"
            raise LlmFailed(LlmKind.UNAVAILABLE, text, is_passing=True) from None
        except httpx.ConnectTimeout:
            text = f"{_host_of(model)} cannot be reached: no connection within {CONNECT_TIMEOUT:g} s"
            raise LlmFailed(LlmKind.UNAVAILABLE, text, is_passing=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            # It may have been answered, and paid for: it is not asked again.
            text = f"the answer of {_host_of(model)} broke off: {reason_of(error)}"
            raise LlmFailed(LlmKind.UNAVAILABLE, text) from None

    def _key_of(self, model: ModelSettings) -> str:
        if model.api_key_env is not None:
            key = self._environ.get(model.api_key_env, "").strip()
            what = f"the environment variable {model.api_key_env} has no key in it"
        elif model.api_key_file is not None:
            path = self._directory / Path(model.api_key_file).expanduser()
            key, what = _read_key(path), f"the key file {path} cannot be read, or has no key in it"
        else:
            return ""
        if not key or not key.isascii() or not key.isprintable():
            raise LlmFailed(LlmKind.NOT_CONFIGURED, what)
        return key


def _json(path: str, body: Mapping[str, Any]) -> _Sent:
    try:
        content = json.dumps(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        text = f"the question cannot be sent, JSON has no room for it: {error}"
        raise LlmFailed(LlmKind.REFUSED, text) from None
    return _Sent(path, {"content": content}, {"Content-Type": "application/json"})


async def _persist(ask: Callable[[], Awaitable[T]], retries: int) -> T:
    pause = FIRST_PAUSE
    for left in range(retries, -1, -1):
        try:
            return await ask()
        except LlmFailed as failure:
            wait = (
                failure.retry_after if failure.retry_after is not None else pause * random.uniform(0.5, 1.0)
            )
            is_too_long = trio.current_time() + wait >= trio.current_effective_deadline()
            if not left or not failure.is_passing or wait > LONGEST_PAUSE or is_too_long:
                raise
        pause *= 2
        await trio.sleep(wait)
    raise AssertionError("the last try returns or raises")


async def _read(response: httpx.Response, host: str) -> bytes:
    body = bytearray()
    # Left by a cancellation and not by a break: httpx reads in generators within generators, which only that ends in order.
    with trio.CancelScope() as scope:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                scope.cancel()
    if scope.cancelled_caught:
        text = f"the answer of {host} is larger than {MAX_ANSWER_BYTES} bytes"
        raise LlmFailed(LlmKind.BAD_ANSWER, text)
    return bytes(body)


def _refusal(host: str, status: int, headers: Mapping[str, str], data: bytes) -> LlmFailed:
    said = openai.read_error(data)
    text = f"{host} answers {status}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        text = f"{host} answers {status}, which leads elsewhere: write the address that it leads to into base_url"
        return LlmFailed(LlmKind.NOT_CONFIGURED, text)
    kind = _KINDS.get(status, LlmKind.UNAVAILABLE if status >= 500 else LlmKind.REFUSED)
    wait = _seconds(headers.get("retry-after", "")) if status in BUSY else None
    return LlmFailed(kind, text, retry_after=wait, is_passing=status in BUSY)


def _seconds(retry_after: str) -> float | None:
    """What a header says: seconds, or a date."""
    try:
        return (
            max(0.0, float(retry_after)) if retry_after.isascii() and "n" not in retry_after.lower() else None
        )
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _without(failure: LlmFailed, key: str) -> LlmFailed:
    """Providers repeat keys in their refusals."""
    if not key or key not in str(failure):
        return failure
    text = str(failure).replace(key, "***")
    return LlmFailed(failure.kind, text, retry_after=failure.retry_after, is_passing=failure.is_passing)


def _host_of(model: ModelSettings) -> str:
    address = model.base_url or ""
    return address.partition("://")[2].partition("/")[0]


def _read_key(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""
