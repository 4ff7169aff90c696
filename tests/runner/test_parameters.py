"""A tool's schema says what its handler's signature says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from rookery.runner.parameters import parameters_of

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]


def test_every_annotation_has_its_json_type() -> None:
    """Optional parts and lists are looked into; what nobody can read is a text."""

    def handler(
        self: Any,
        text: str,
        most: int,
        ratio: float,
        loud: bool,
        words: list[str],
        options: dict[str, Any],
        mode: Literal["a", "b"],
        strange: Unknown,
        maybe: int | None = None,
        *rest: Any,
        **more: Any,
    ) -> None: ...

    schema = parameters_of(handler)

    assert schema["properties"] == {
        "text": {"type": "string"},
        "most": {"type": "integer"},
        "ratio": {"type": "number"},
        "loud": {"type": "boolean"},
        "words": {"type": "array", "items": {"type": "string"}},
        "options": {"type": "object"},
        "mode": {"type": "string", "enum": ["a", "b"]},
        "strange": {"type": "string"},
        "maybe": {"type": "integer"},
    }
    assert "maybe" not in schema["required"]
