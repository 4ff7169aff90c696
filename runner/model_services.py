"""How does a plugin ask a language model, and how does it have a picture made of a page?"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import attrs

from .capabilities import Family
from .errors import CapabilityFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_TIMEOUT = 120.0
"""Seconds for an answer of a language model; most need far less, few need more."""

PICTURE_TIMEOUT = 30.0


@attrs.frozen(kw_only=True)
class ModelAnswer:
    """What a language model has said."""

    text: str
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    """As ``{id, type, function: {name, arguments}}``; the arguments are a text, JSON if the model is any good."""
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class LanguageModels(Family):
    """``ctx.llm``: language models, by the tasks of the deployment; capabilities ``llm.*``."""

    async def ask(
        self,
        prompt: str | Sequence[dict[str, Any]],
        *,
        task: str = "",
        tools: Sequence[dict[str, Any]] = (),
        temperature: float | None = None,
        max_tokens: int | None = None,
        timeout: float = ANSWER_TIMEOUT,
    ) -> ModelAnswer:
        """Ask and wait for the answer.

        Args:
            prompt: A text, or messages ``{role, content}``.
            task: As in the deployment's ``[llm.tasks]``; "" takes its default.
            tools: What the model may call, as ``{name, description, parameters}``.

        Raises:
            CapabilityFailed: There is no answer; ``kind`` says why, ``retry_after`` when to ask again.
        """
        args: dict[str, Any] = {"prompt": prompt if isinstance(prompt, str) else list(prompt), "model": task}
        if temperature is not None:
            args["temperature"] = temperature
        if max_tokens is not None:
            args["max_tokens"] = max_tokens
        name = "llm.generate"
        if tools:
            name, args["tools"] = "llm.generate_with_tools", list(tools)
        answer = await self._ask_for(dict, name, "", **args, timeout=timeout)
        return _read_answer(answer)

    async def embed(self, text: str, *, task: str = "", timeout: float = ANSWER_TIMEOUT) -> list[float]:
        """A text as a vector."""
        [vector] = await self.embed_all([text], task=task, timeout=timeout)
        return vector

    async def embed_all(
        self, texts: Sequence[str], *, task: str = "", timeout: float = ANSWER_TIMEOUT
    ) -> list[list[float]]:
        """Texts as vectors, in their order."""
        args: dict[str, Any] = {"texts": list(texts), **({"task_name": task} if task else {})}
        results: list[Any] = await self._ask_for(list, "llm.embed", "results", **args, timeout=timeout)
        found = (each.get("embedding") for each in results if isinstance(each, dict))
        vectors = [vector for vector in found if isinstance(vector, list)]
        if len(vectors) != len(texts):
            raise CapabilityFailed("llm.embed", f"the host should answer with {len(texts)} vectors")
        return vectors

    async def transcribe(self, audio: bytes, *, task: str = "", timeout: float = ANSWER_TIMEOUT) -> str:
        """What is said in a recording."""
        args = {"audio_base64": base64.b64encode(audio).decode(), **({"task_name": task} if task else {})}
        return await self._ask_for(str, "llm.transcribe_audio", "text", **args, timeout=timeout)

    async def tasks(self) -> list[str]:
        """What may be asked for."""
        found: list[str] = await self._ask_for(list, "llm.get_available_models", "models")
        return found


class Renderer(Family):
    """``ctx.render``: pictures of pages; capability ``render.html2png``."""

    async def html_to_png(
        self,
        html: str,
        *,
        selector: str = "body",
        width: int = 900,
        height: int = 500,
        scale: float = 2.0,
        full_page: bool = False,
        transparent: bool = False,
        wait_for: str = "",
        allow_network: bool = False,
        timeout: float = PICTURE_TIMEOUT,
    ) -> bytes:
        """Show a page to nobody and return the picture.

        Args:
            selector: The part of the page that is wanted.
            width, height: Of the window, in pixels of the page.
            scale: Pixels of the picture for one of the page.
            full_page: All of the page, whatever the selector says.
            wait_for: A selector that has to be there first; "" waits until the page is loaded.
            allow_network: Whether the page may load anything from elsewhere.

        Raises:
            CapabilityFailed: There is no picture.
        """
        args = {
            "html": html,
            "selector": selector,
            "viewport": {"width": width, "height": height},
            "device_scale_factor": scale,
            "full_page": full_page,
            "omit_background": transparent,
            "wait_for_selector": wait_for,
            "allow_network": allow_network,
            "render_timeout_ms": int(timeout * 1000),
        }
        # The host is to say what is wrong before nobody listens any more.
        result = await self._ask_for(dict, "render.html2png", "result", **args, timeout=timeout + 2.0)
        try:
            return base64.b64decode(result.get("image_base64", ""), validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise CapabilityFailed("render.html2png", "the host's answer has no picture") from None


def _read_answer(answer: dict[str, Any]) -> ModelAnswer:
    calls = answer.get("tool_calls")
    return ModelAnswer(
        text=_text(answer, "response"),
        reasoning=_text(answer, "reasoning"),
        tool_calls=tuple(each for each in calls if isinstance(each, dict)) if isinstance(calls, list) else (),
        model=_text(answer, "model_name"),
        prompt_tokens=_count(answer, "prompt_tokens"),
        completion_tokens=_count(answer, "completion_tokens"),
    )


def _text(answer: dict[str, Any], key: str) -> str:
    value = answer.get(key)
    return value if isinstance(value, str) else ""


def _count(answer: dict[str, Any], key: str) -> int:
    value = answer.get(key)
    return value if isinstance(value, int) else 0
