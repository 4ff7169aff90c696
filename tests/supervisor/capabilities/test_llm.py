"""What does a plugin get that asks a language model, in the words of protocol 1.0.0?"""

from __future__ import annotations

import base64
from typing import Any

import attrs
import pytest
import trio

from rookery.supervisor.capabilities import CapabilityTable, register_llm
from rookery.supervisor.grants import Grants
from rookery.supervisor.llm.conversation import Answer, Audio, Question, Usage, Vectors
from rookery.supervisor.llm.failure import LlmFailed, LlmKind
from tests.doubles.capability_calls import Caller

TOOL = {"type": "function", "function": {"name": "roll", "description": "", "parameters": {"type": "object"}}}
FULL = Answer(
    text="hi",
    reasoning="hm",
    model="small-2",
    usage=Usage(prompt=10, completion=5, total=15, cache_hit=4, cache_miss=6),
)


@attrs.define
class FakeModels:
    """Answers as it is told, and writes down what it was asked."""

    answer: Any = FULL
    text: str = " heard "
    asked: list[tuple[Any, ...]] = attrs.Factory(list)
    tasks: tuple[str, ...] = ("reply", "embedding")

    async def generate(self, task: str, question: Question, *, module: str) -> Answer:
        self.asked.append((task, question, module))
        return self._give(self.answer)

    async def embed(self, task: str, texts: list[str], *, module: str, at_once: int | None) -> Vectors:
        self.asked.append((task, texts, module, at_once))
        return self._give(Vectors(vectors=tuple([float(len(text))] for text in texts), model="vec-1"))

    async def transcribe(self, task: str, audio: Audio, *, module: str) -> str:
        self.asked.append((task, audio.data, module))
        return self._give(self.text)

    def _give(self, usual: Any) -> Any:
        if isinstance(self.answer, LlmFailed):
            raise self.answer
        return usual


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
async def caller(models: FakeModels, nursery: trio.Nursery) -> Caller:
    grants = Grants()
    grants.grant("a.b", ["llm.*"], None)
    table = CapabilityTable(grants)
    register_llm(table, models)  # type: ignore[arg-type]
    await nursery.start(table.run)
    return Caller(table)


async def test_an_answer_has_every_key_of_the_protocol(caller: Caller, models: FakeModels) -> None:
    """And the question goes to the task that was named, in the plugin's name."""
    args = {"prompt": "hello", "model": "reply", "temperature": 0.5, "max_tokens": 9}

    answer = await caller.ask("llm.generate", args)

    assert answer == {
        "success": True,
        "response": "hi",
        "reasoning": "hm",
        "model_name": "small-2",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_cache_hit_tokens": 4,
        "prompt_cache_miss_tokens": 6,
    }
    question = Question(messages=({"role": "user", "content": "hello"},), temperature=0.5, max_tokens=9)
    assert models.asked == [("reply", question, "plugin.a.b")]


async def test_messages_are_passed_on(caller: Caller, models: FakeModels) -> None:
    """As they are; a task may be named in three ways, or not at all."""
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": [{"type": "text"}]}]

    for name in ("task_name", "model", "model_name"):
        await caller.ask("llm.generate", {"prompt": messages, name: "reply"})
    await caller.ask("llm.generate", {"prompt": messages, "model": None})

    assert [task for task, *_ in models.asked] == ["reply", "reply", "reply", ""]
    assert list(models.asked[0][1].messages) == messages


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(TOOL, id="as an endpoint wants it"),
        pytest.param({"name": "roll", "parameters": {"type": "object"}}, id="flat"),
        pytest.param({"name": "roll", "parameters_raw": {"type": "object"}}, id="as a component has it"),
        pytest.param(
            {"name": "roll", "definition": {"name": "roll", "parameters": {"type": "object"}}},
            id="as tool.get_definitions shows it",
        ),
    ],
)
async def test_tools_are_told_in_one_form(caller: Caller, models: FakeModels, tool: dict[str, Any]) -> None:
    """Whichever they come in; what the model wants called is in the answer."""
    call = {"id": "1", "type": "function", "function": {"name": "roll", "arguments": "{}"}}
    models.answer = attrs.evolve(FULL, tool_calls=(call,))

    answer = await caller.ask("llm.generate_with_tools", {"prompt": "x", "tools": [tool]})

    assert answer["tool_calls"] == [call]
    assert models.asked[0][1].tools == (TOOL,)


async def test_texts_become_vectors(caller: Caller, models: FakeModels) -> None:
    """One by itself, several as a list."""
    one = await caller.ask("llm.embed", {"text": "abc"})
    many = await caller.ask("llm.embed", {"inputs": ["a", "bc"], "model": "other", "max_concurrent": 3})

    assert one == {"success": True, "embedding": [3.0], "model_name": "vec-1"}
    assert many["results"] == [
        {"embedding": [1.0], "model_name": "vec-1"},
        {"embedding": [2.0], "model_name": "vec-1"},
    ]
    assert models.asked == [
        ("embedding", ["abc"], "plugin.a.b", None),
        ("other", ["a", "bc"], "plugin.a.b", 3),
    ]


@pytest.mark.parametrize("name", ["audio_base64", "voice_base64", "base64"])
@pytest.mark.parametrize("head", ["", "data:audio/wav;base64,"])
async def test_speech_becomes_text(caller: Caller, models: FakeModels, name: str, head: str) -> None:
    """From base64 of three names, also in a data URL; it counts as the plugin's speech."""
    heard = await caller.ask("llm.transcribe_audio", {name: head + base64.b64encode(b"wave").decode()})

    assert heard == {"success": True, "text": "heard", "content": "heard"}
    assert models.asked == [("voice", b"wave", "plugin.a.b")]


async def test_silence_is_no_success(caller: Caller, models: FakeModels) -> None:
    """As the protocol has it."""
    models.text = "  "

    heard = await caller.ask("llm.transcribe_audio", {"base64": "eA=="})

    assert heard == {"success": False, "text": "", "content": "", "error": "nothing was understood"}


async def test_the_tasks_are_told(caller: Caller) -> None:
    """By name; what is behind them is the operator's."""
    assert await caller.ask("llm.get_available_models") == {"success": True, "models": ["reply", "embedding"]}


@pytest.mark.parametrize("name", ["generate", "embed", "transcribe_audio"])
async def test_a_failure_is_said_in_the_result(caller: Caller, models: FakeModels, name: str) -> None:
    """With its kind, and when to ask again."""
    models.answer = LlmFailed(LlmKind.RATE_LIMITED, "busy", retry_after=7.0)

    answer = await caller.ask(f"llm.{name}", {"prompt": "x", "text": "x", "base64": "eA=="})

    assert answer["success"] is False
    assert (answer["error"], answer["kind"], answer["retry_after"]) == ("busy", "rate limited", 7.0)


@pytest.mark.parametrize(
    ("name", "args", "argument"),
    [
        ("generate", {}, "prompt"),
        ("generate", {"prompt": ""}, "prompt"),
        ("generate", {"prompt": []}, "prompt"),
        ("generate", {"prompt": ["x"]}, "prompt[0]"),
        ("generate", {"prompt": [{"content": "x"}]}, "prompt[0]"),
        ("generate", {"prompt": "x", "temperature": -1}, "temperature"),
        ("generate", {"prompt": "x", "temperature": "warm"}, "temperature"),
        ("generate", {"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ("generate", {"prompt": "x", "model": 3}, "model"),
        ("generate_with_tools", {"prompt": "x"}, "tool_options"),
        ("generate_with_tools", {"prompt": "x", "tools": [{}]}, "tools[0]"),
        ("embed", {}, "text or texts"),
        ("embed", {"text": "a", "texts": ["b"]}, "text or texts"),
        ("embed", {"texts": ["a", ""]}, "texts"),
        ("embed", {"texts": "ab"}, "texts"),
        ("transcribe_audio", {}, "audio_base64"),
        ("transcribe_audio", {"audio_base64": "?"}, "audio_base64"),
        ("transcribe_audio", {"audio_base64": "eA==eA=="}, "audio_base64"),
        ("transcribe_audio", {"audio_base64": "data:audio/wav,eA=="}, "audio_base64"),
    ],
)
async def test_a_mistake_names_its_argument(
    caller: Caller, models: FakeModels, name: str, args: dict[str, Any], argument: str
) -> None:
    """And nobody is asked."""
    answer = await caller.ask(f"llm.{name}", args)

    assert answer["success"] is False
    assert argument in answer["error"]
    assert models.asked == []
