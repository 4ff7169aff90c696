"""How is a question put in the words of an OpenAI-compatible endpoint, and what does its answer mean?

Nothing of an answer is believed: every part is looked at, and one that is missing or of another kind makes a clear failure.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rookery.protocol import shown

from .conversation import Answer, Usage, Vectors
from .failure import LlmFailed, LlmKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .conversation import Question
    from .settings import ModelSettings

CHAT_PATH = "/chat/completions"
EMBEDDING_PATH = "/embeddings"
SPEECH_PATH = "/audio/transcriptions"


def chat_body(question: Question, model: ModelSettings, wire_name: str) -> dict[str, Any]:
    """The request for an answer."""
    body: dict[str, Any] = {**model.extra, "model": wire_name, "messages": list(question.messages)}
    body["stream"] = False
    temperature = model.temperature if question.temperature is None else question.temperature
    max_tokens = model.max_tokens if question.max_tokens is None else question.max_tokens
    if temperature is not None:
        body["temperature"] = temperature
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    if question.tools:
        body["tools"] = list(question.tools)
    return body


def embedding_body(texts: Sequence[str], model: ModelSettings, wire_name: str) -> dict[str, Any]:
    """The request for vectors."""
    return {**model.extra, "model": wire_name, "input": list(texts)}


def read_chat(data: bytes, wire_name: str) -> Answer:
    """The answer to a question.

    Raises:
        LlmFailed: It is none.
    """
    body = read_json(data)
    choice = _first(body.get("choices"), "choices")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _bad("choices[0].message is no map")
    text, reasoning = (
        _text_of(message.get("content")),
        message.get("reasoning_content") or message.get("reasoning"),
    )
    calls = read_tool_calls(message.get("tool_calls"))
    if not text and not calls and isinstance(message.get("refusal"), str) and message["refusal"]:
        raise LlmFailed(LlmKind.REFUSED, f"the model refuses: {message['refusal']:.300}")
    return Answer(
        text=text,
        reasoning=reasoning if isinstance(reasoning, str) else "",
        tool_calls=calls,
        model=_name(body, wire_name),
        usage=read_usage(body.get("usage")),
    )


def read_embedding(data: bytes, count: int, wire_name: str) -> Vectors:
    """The vectors of so many texts, in their order.

    Raises:
        LlmFailed: They are not there.
    """
    body = read_json(data)
    rows = body.get("data")
    if not isinstance(rows, list) or len(rows) != count:
        raise _bad(f"data has not {count} vectors")
    vectors: list[list[float] | None] = [None] * count
    for place, row in enumerate(rows):
        index = row.get("index", place) if isinstance(row, dict) else -1
        if type(index) is not int or not 0 <= index < count or vectors[index] is not None:
            raise _bad(f"data[{place}].index is {shown(index)}")
        vectors[index] = read_vector(row.get("embedding"), f"data[{place}].embedding")
    return Vectors(
        vectors=tuple(vector for vector in vectors if vector is not None),
        model=_name(body, wire_name),
        usage=read_usage(body.get("usage")),
    )


def read_speech(data: bytes) -> str:
    """The text that was spoken.

    Raises:
        LlmFailed: There is none.
    """
    text = read_json(data).get("text")
    if not isinstance(text, str):
        raise _bad("it has no text")
    return text


def read_error(data: bytes) -> str:
    """What a provider says of its failure, shortened; "" when it says nothing that a person could read."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return " ".join(data[:600].decode("utf-8", "replace").split())[:300]
    error = body.get("error", body) if isinstance(body, dict) else body
    said = error.get("message") if isinstance(error, dict) else error
    return " ".join(said.split())[:300] if isinstance(said, str) else ""


def read_json(data: bytes) -> dict[str, Any]:
    """A map.

    Raises:
        LlmFailed: It is none.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise _bad(f"it is no JSON: {data[:80]!r}") from None
    if not isinstance(body, dict):
        raise _bad(f"it is no map: {shown(body)}")
    return body


def read_usage(usage: object) -> Usage:
    """Tokens; what is missing or odd counts as 0."""
    told: Mapping[str, Any] = usage if isinstance(usage, dict) else {}
    details = told.get("prompt_tokens_details")
    prompt, completion = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    hit = _count(told.get("prompt_cache_hit_tokens"))
    if not hit and isinstance(details, dict):
        hit = _count(details.get("cached_tokens"))
    return Usage(
        prompt=prompt,
        completion=completion,
        total=_count(told.get("total_tokens")) or prompt + completion,
        cache_hit=hit,
        cache_miss=_count(told.get("prompt_cache_miss_tokens")) or max(0, prompt - hit),
    )


def read_tool_calls(calls: object) -> tuple[dict[str, Any], ...]:
    """The tools that a model wants called.

    Raises:
        LlmFailed: One of them has no name.
    """
    if calls is None:
        return ()
    if not isinstance(calls, list):
        raise _bad("tool_calls is no list")
    return tuple(_tool_call(call, f"tool_calls[{index}]") for index, call in enumerate(calls))


def read_vector(vector: object, path: str) -> list[float]:
    """Numbers.

    Raises:
        LlmFailed: They are none.
    """
    if not isinstance(vector, list) or not vector or not all(type(each) in (int, float) for each in vector):
        raise _bad(f"{path} is no list of numbers")
    return [float(each) for each in vector]


def _tool_call(call: object, path: str) -> dict[str, Any]:
    told = call if isinstance(call, dict) else {}
    inner = told.get("function")
    function = inner if isinstance(inner, dict) else told
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        raise _bad(f"{path} names no function")
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments, ensure_ascii=False)
    identifier = told.get("id") or told.get("call_id")
    return {
        "id": identifier if isinstance(identifier, str) else "",
        "type": "function",
        "function": {"name": name, "arguments": arguments if isinstance(arguments, str) else ""},
    }


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    raise _bad(f"its content is {shown(content)}")


def _first(items: object, path: str) -> dict[str, Any]:
    if not isinstance(items, list) or not items or not isinstance(items[0], dict):
        raise _bad(f"{path} has no first map")
    return items[0]


def _name(body: Mapping[str, Any], wire_name: str) -> str:
    name = body.get("model")
    return name[:200] if isinstance(name, str) and name else wire_name


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _bad(why: str) -> LlmFailed:
    return LlmFailed(LlmKind.BAD_ANSWER, f"the provider's answer cannot be used: {why}", is_passing=True)
