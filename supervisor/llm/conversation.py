"""What is a question to a language model and what is an answer, in the host's own words?"""

from __future__ import annotations

from typing import Any

import attrs

Message = dict[str, Any]
"""``{role, content, …}``, as most providers have it."""


@attrs.frozen(kw_only=True)
class Usage:
    """Tokens, as a provider counts them; 0 where it does not."""

    prompt: int = 0
    completion: int = 0
    total: int = 0
    cache_hit: int = 0
    """Of the question, those that the provider had seen before."""
    cache_miss: int = 0


@attrs.frozen(kw_only=True)
class Question:
    """What a model is to answer."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    """As ``{type: "function", function: {name, description, parameters}}``."""
    temperature: float | None = None
    max_tokens: int | None = None


@attrs.frozen(kw_only=True)
class Answer:
    """What a model has said."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    """As ``{id, type: "function", function: {name, arguments}}``; the arguments are the text that the model wrote."""
    model: str = ""
    """As the provider calls it."""
    usage: Usage = attrs.Factory(Usage)


@attrs.frozen(kw_only=True)
class Vectors:
    """Texts as vectors, in their order."""

    vectors: tuple[list[float], ...]
    model: str = ""
    usage: Usage = attrs.Factory(Usage)


@attrs.frozen(kw_only=True)
class Audio:
    """Something that was spoken."""

    data: bytes

    @property
    def file_name(self) -> str:
        """A name with the ending that its first bytes ask for: providers go by that."""
        return f"audio.{_ending(self.data)}"


def _ending(data: bytes) -> str:
    for beginning, ending in _BEGINNINGS.items():
        if data.startswith(beginning):
            return ending
    return "mp3" if data[:1] == b"\xff" else "m4a" if data[4:8] == b"ftyp" else "wav"


_BEGINNINGS = {
    b"RIFF": "wav",
    b"OggS": "ogg",
    b"fLaC": "flac",
    b"ID3": "mp3",
    b"\x1aE\xdf\xa3": "webm",
    b"#!AMR": "amr",
}
