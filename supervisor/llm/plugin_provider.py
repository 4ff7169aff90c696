"""How is a plugin asked that serves a kind of language model, and what does it mean by its answer?

What it is told of its model are names and numbers. The original told it the host's keys too; here a plugin has the keys that
stand in its own configuration.
"""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import PLUGIN_INVOKE_LLM_PROVIDER, shown

from ..fate import DispatchFailed, Fate
from . import openai
from .conversation import Answer, Usage, Vectors
from .failure import LlmFailed, LlmKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..dispatch import Dispatcher
    from ..provider_table import ProviderTable
    from .conversation import Audio, Question
    from .settings import ModelSettings

RESPONSE = "response"
EMBEDDING = "embedding"
SPEECH = "audio_transcription"

SCHEMA_VERSION = 1
"""Of the items of questions and answers."""

_KINDS = {
    Fate.TIMEOUT: LlmKind.TIMEOUT,
    Fate.REFUSED: LlmKind.NOT_CONFIGURED,
    Fate.HANDLER_ERROR: LlmKind.REFUSED,
    Fate.RESULT_UNENCODABLE: LlmKind.BAD_ANSWER,
    Fate.RESULT_TOO_LARGE: LlmKind.BAD_ANSWER,
}


class PluginProvider:
    """Asks plugins, wherever they live."""

    def __init__(self, table: ProviderTable, dispatcher: Dispatcher) -> None:
        self._table = table
        self._dispatcher = dispatcher

    async def generate(self, name: str, model: ModelSettings, question: Question) -> Answer:
        """An answer.

        Raises:
            LlmFailed: There is none.
        """
        temperature = model.temperature if question.temperature is None else question.temperature
        max_tokens = model.max_tokens if question.max_tokens is None else question.max_tokens
        request = {
            "item_schema_version": SCHEMA_VERSION,
            "context_items": [_item(message) for message in question.messages],
            "message_list": list(question.messages),
            "logical_turn_id": uuid.uuid4().hex,
            "response_format": None,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "tool_options": list(question.tools),
        }
        answer = await self._ask(name, model, RESPONSE, request)
        return read_answer(answer, model.model or name)

    async def embed(self, name: str, model: ModelSettings, texts: Sequence[str]) -> Vectors:
        """The vectors of texts, one question for each; raises as ``generate``."""
        vectors, usage = [], Usage()
        for text in texts:
            answer = await self._ask(name, model, EMBEDDING, {"embedding_input": text})
            vectors.append(openai.read_vector(answer.get("embedding"), "embedding"))
            usage = _sum(usage, openai.read_usage(answer.get("usage")))
        return Vectors(vectors=tuple(vectors), model=model.model or name, usage=usage)

    async def transcribe(self, name: str, model: ModelSettings, audio: Audio) -> str:
        """What was said; raises as ``generate``."""
        request = {
            "audio_base64": base64.b64encode(audio.data).decode(),
            "max_tokens": model.max_tokens,
        }
        answer = await self._ask(name, model, SPEECH, request)
        return read_answer(answer, model.model or name).text

    async def _ask(
        self, name: str, model: ModelSettings, operation: str, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        provider = self._table.find(model.provider)
        if provider is None:
            text = f"no plugin that is loaded serves the client type {model.provider!r}, which model {name!r} needs"
            raise LlmFailed(LlmKind.UNAVAILABLE, text, is_passing=True)
        told = {
            "client_type": model.provider,
            "operation": operation,
            "request": {**request, **_about(name, model, operation)},
        }
        left = trio.current_effective_deadline() - trio.current_time()
        try:
            outcome = await self._dispatcher.call(
                provider, PLUGIN_INVOKE_LLM_PROVIDER, told, timeout=min(model.timeout, left)
            )
        except DispatchFailed as failure:
            kind = _KINDS.get(failure.fate, LlmKind.UNAVAILABLE)
            text = f"{provider.plugin_id}, which serves {model.provider!r}: {failure}"
            raise LlmFailed(kind, text, is_passing=failure.is_loss) from None
        result = outcome.get("result")
        if outcome.get("success") is False:
            text = f"{provider.plugin_id}, which serves {model.provider!r}, failed: {shown(result)}"
            raise LlmFailed(LlmKind.REFUSED, text)
        if not isinstance(result, dict) or result.get("success") is False:
            said = result.get("error") if isinstance(result, dict) else result
            text = f"{provider.plugin_id}, which serves {model.provider!r}, gives no answer: {shown(said)}"
            raise LlmFailed(LlmKind.BAD_ANSWER, text, is_passing=True)
        return result


def _about(name: str, model: ModelSettings, operation: str) -> dict[str, Any]:
    """What each question says of its model."""
    return {
        "request_kind": operation,
        "extra_params": dict(model.extra),
        "model_info": {
            "name": name,
            "model_identifier": model.model or name,
            "api_provider": model.provider,
            "price_in": model.price_in,
            "price_out": model.price_out,
        },
        "api_provider": {
            "name": model.provider,
            "client_type": model.provider,
            "base_url": model.base_url or "",
            "api_key": "",
            "timeout": model.timeout,
            "max_retry": model.retries,
        },
    }


def _item(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "message", **message}


def read_answer(answer: Mapping[str, Any], wire_name: str) -> Answer:
    """What a provider has answered, in either form.

    Raises:
        LlmFailed: It is none.
    """
    usage = openai.read_usage(answer.get("usage"))
    items = answer.get("output_items")
    if isinstance(items, list):
        if answer.get("item_schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
            version = shown(answer["item_schema_version"])
            raise LlmFailed(LlmKind.BAD_ANSWER, f"the provider answers with items of version {version}")
        return _read_items([item for item in items if isinstance(item, dict)], wire_name, usage)
    text, reasoning = (
        _either(answer, "content", "response"),
        _either(answer, "reasoning_content", "reasoning"),
    )
    calls = openai.read_tool_calls(answer.get("tool_calls"))
    if text is None and not calls:
        raise LlmFailed(LlmKind.BAD_ANSWER, "the provider's answer has neither content nor output_items")
    return Answer(text=text or "", reasoning=reasoning or "", tool_calls=calls, model=wire_name, usage=usage)


def _read_items(items: Sequence[Mapping[str, Any]], wire_name: str, usage: Usage) -> Answer:
    texts, thoughts, calls = [], [], []
    for item in items:
        kind = item.get("type")
        if kind in ("tool_call", "function_call", "function"):
            calls.append(item)
        elif kind == "reasoning":
            thoughts.append(_text_of(item))
        elif kind in ("message", "text", "output_text", None):
            texts.append(_text_of(item))
    return Answer(
        text="".join(texts),
        reasoning="".join(thoughts),
        tool_calls=openai.read_tool_calls(calls),
        model=wire_name,
        usage=usage,
    )


def _text_of(item: Mapping[str, Any]) -> str:
    for key in ("content", "text", "summary", "parts"):
        value = item.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "".join(_text_of(part) if isinstance(part, dict) else str(part) for part in value)
    return ""


def _either(answer: Mapping[str, Any], *keys: str) -> str | None:
    return next((answer[key] for key in keys if isinstance(answer.get(key), str)), None)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        prompt=one.prompt + other.prompt,
        completion=one.completion + other.completion,
        total=one.total + other.total,
        cache_hit=one.cache_hit + other.cache_hit,
        cache_miss=one.cache_miss + other.cache_miss,
    )
