"""``llm.*``: plugins ask language models, by the tasks that the operator has given models to.

What goes wrong is said in the result, ``{success: false, error}``, with ``kind`` beside it and ``retry_after`` where the
provider has said when.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload, shown

from ..llm.conversation import Audio, Question
from ..llm.failure import LlmFailed
from . import arguments

if TYPE_CHECKING:
    from ..llm.conversation import Answer
    from ..llm.models import Models
    from .request import CapabilityRequest
    from .table import CapabilityTable

EMBEDDING_TASK = "embedding"
VOICE_TASK = "voice"

MAX_TEXTS = 2_000
"""That one call may have vectors of."""

MAX_MESSAGES = 2_000
MAX_TOOLS = 200

_TASK = ("task_name", "model", "model_name")


def register_llm(table: CapabilityTable, models: Models) -> None:
    """Add ``llm.generate``, ``generate_with_tools``, ``embed``, ``transcribe_audio`` and ``get_available_models``."""

    async def ask(request: CapabilityRequest, tools: tuple[dict[str, Any], ...]) -> dict[str, Any]:
        args = request.args
        question = Question(
            messages=_messages(args),
            tools=tools,
            temperature=_temperature(args),
            max_tokens=_optional_integer(args, "max_tokens"),
        )
        task = arguments.optional_text(args, *_TASK)
        try:
            answer = await models.generate(task, question, module=_module(request))
        except LlmFailed as failure:
            return {**_NO_ANSWER, **_failed(failure)}
        return _shown(answer)

    async def generate(request: CapabilityRequest) -> dict[str, Any]:
        return await ask(request, ())

    async def generate_with_tools(request: CapabilityRequest) -> dict[str, Any]:
        return await ask(request, _tools(request.args))

    async def embed(request: CapabilityRequest) -> dict[str, Any]:
        texts, is_one = _texts(request.args)
        task = arguments.optional_text(request.args, *_TASK, default=EMBEDDING_TASK)
        at_once = _optional_integer(request.args, "max_concurrent")
        try:
            found = await models.embed(task, texts, module=_module(request), at_once=at_once)
        except LlmFailed as failure:
            return _failed(failure)
        results = [{"embedding": vector, "model_name": found.model} for vector in found.vectors]
        return {"success": True, **results[0]} if is_one else {"success": True, "results": results}

    async def transcribe(request: CapabilityRequest) -> dict[str, Any]:
        audio = _audio(request.args)
        task = arguments.optional_text(request.args, *_TASK, default=VOICE_TASK)
        try:
            text = await models.transcribe(task, audio, module=_module(request))
        except LlmFailed as failure:
            return {"text": "", "content": "", **_failed(failure)}
        said = text.strip()
        heard = {"success": bool(said), "text": said, "content": said}
        return heard if said else {**heard, "error": "nothing was understood"}

    def get_available_models(request: CapabilityRequest) -> None:
        request.answer({"success": True, "models": list(models.tasks)})

    table.register("llm.generate", generate, says_mistakes=True)
    table.register("llm.generate_with_tools", generate_with_tools, says_mistakes=True)
    table.register("llm.embed", embed, says_mistakes=True)
    table.register("llm.transcribe_audio", transcribe, says_mistakes=True)
    table.register("llm.get_available_models", get_available_models, says_mistakes=True)


_NO_ANSWER: dict[str, Any] = {"response": "", "reasoning": "", "model_name": ""}


def _module(request: CapabilityRequest) -> str:
    return f"plugin.{request.plugin_id}"


def _failed(failure: LlmFailed) -> dict[str, Any]:
    told: dict[str, Any] = {"success": False, "error": str(failure), "kind": failure.kind.value}
    if failure.retry_after is not None:
        told["retry_after"] = failure.retry_after
    return told


def _shown(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {
        "success": True,
        "response": answer.text,
        "reasoning": answer.reasoning,
        "model_name": answer.model,
        "prompt_tokens": answer.usage.prompt,
        "completion_tokens": answer.usage.completion,
        "total_tokens": answer.usage.total,
        "prompt_cache_hit_tokens": answer.usage.cache_hit,
        "prompt_cache_miss_tokens": answer.usage.cache_miss,
    }
    if answer.tool_calls:
        told["tool_calls"] = list(answer.tool_calls)
    return told


# --- arguments ---------------------------------------------------------------------------------------------------------


def _messages(args: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    prompt = args.get("prompt")
    if type(prompt) is str and prompt:
        return ({"role": "user", "content": prompt},)
    if type(prompt) is not list or not prompt or len(prompt) > MAX_MESSAGES:
        raise BadPayload(
            f"must be a text that is not empty, or a list of 1 to {MAX_MESSAGES} messages", "prompt"
        )
    for index, message in enumerate(prompt):
        if type(message) is not dict or type(message.get("role")) is not str:
            raise BadPayload("must be a map with a role and a content", f"prompt[{index}]")
    return tuple(prompt)


def _tools(args: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    name = "tools" if args.get("tools") is not None else "tool_options"
    tools = args.get(name)
    if type(tools) is not list or not tools or len(tools) > MAX_TOOLS:
        raise BadPayload(f"must be a list of 1 to {MAX_TOOLS} tools", name)
    return tuple(_tool(tool, f"{name}[{index}]") for index, tool in enumerate(tools))


def _tool(tool: object, path: str) -> dict[str, Any]:
    """As it is, or as ``tool.get_definitions`` shows it, or flat."""
    told = tool if type(tool) is dict else {}
    inner = told.get("definition")
    told = {**told, **inner} if type(inner) is dict else told
    if type(told.get("function")) is dict:
        told = told["function"]
    name = told.get("name")
    if type(name) is not str or not name:
        raise BadPayload(f"must be a map with a name, got {shown(tool)}", path)
    schema = next(
        (
            told[key]
            for key in ("parameters", "parameters_schema", "parameters_raw")
            if type(told.get(key)) is dict
        ),
        {"type": "object", "properties": {}},
    )
    description = told.get("description")
    function = {
        "name": name,
        "description": description if type(description) is str else "",
        "parameters": schema,
    }
    return {"type": "function", "function": function}


def _texts(args: dict[str, Any]) -> tuple[list[str], bool]:
    one, many = arguments.optional_text(args, "text", "input"), args.get("texts") or args.get("inputs")
    if bool(one) == bool(many):
        raise BadPayload("must be given, and not both: one text, or a list of texts", "text or texts")
    if one:
        return [one], True
    if (
        type(many) is not list
        or not all(type(text) is str and text for text in many)
        or len(many) > MAX_TEXTS
    ):
        raise BadPayload(f"must be a list of 1 to {MAX_TEXTS} texts that are not empty", "texts")
    return many, False


def _audio(args: dict[str, Any]) -> Audio:
    text = arguments.text(args, "audio_base64", "voice_base64", "base64")
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise BadPayload("must be base64, as such or in a data URL", "audio_base64")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadPayload("must be base64, as such or in a data URL", "audio_base64") from None
    if not data:
        raise BadPayload("must not be empty", "audio_base64")
    return Audio(data=data)


def _temperature(args: dict[str, Any]) -> float | None:
    if args.get("temperature") is None:
        return None
    temperature = arguments.number(args, "temperature", default=0.0)
    if temperature < 0:
        raise BadPayload(f"must be at least 0, got {temperature:g}", "temperature")
    return temperature


def _optional_integer(args: dict[str, Any], name: str) -> int | None:
    return None if args.get(name) is None else arguments.integer(args, name, 1, at_least=1)
