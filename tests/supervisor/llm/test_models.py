"""Which model answers for a task, what is counted, and what does a plugin's provider mean?"""

from __future__ import annotations

from typing import Any, cast

import attrs
import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import LLMProviderDeclaration, RegisterComponents
from rookery.supervisor.llm.conversation import Answer, Audio, Question, Usage, Vectors
from rookery.supervisor.llm.failure import LlmFailed, LlmKind
from rookery.supervisor.llm.models import Models
from rookery.supervisor.llm.plugin_provider import PluginProvider
from rookery.supervisor.llm.settings import LlmSettings, ModelSettings
from rookery.supervisor.provider_table import ProviderTable
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, open_stage, said

HELLO = Question(messages=({"role": "user", "content": "hi"},))


@attrs.define
class FakeProvider:
    """Answers as it is told, by model."""

    failing: dict[str, LlmFailed] = attrs.Factory(dict)
    seconds: float = 0.0
    asked: list[str] = attrs.Factory(list)
    most: int = 0
    running: int = 0

    async def generate(self, name: str, model: ModelSettings, question: Question) -> Answer:
        await self._work(name)
        return Answer(text=f"{name} says", model=name, usage=Usage(prompt=1_000_000, completion=500_000))

    async def embed(self, name: str, model: ModelSettings, texts: list[str]) -> Vectors:
        await self._work(name)
        return Vectors(vectors=tuple([float(len(text))] for text in texts), model=name)

    async def transcribe(self, name: str, model: ModelSettings, audio: Audio) -> str:
        await self._work(name)
        return "heard"

    async def _work(self, name: str) -> None:
        self.asked.append(name)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.running -= 1
        if name in self.failing:
            raise self.failing[name]


@attrs.define
class Bench:
    """Models over a fake endpoint, and everything that was counted."""

    provider: FakeProvider = attrs.Factory(FakeProvider)
    uses: list[dict[str, Any]] = attrs.Factory(list)

    def models(self, max_concurrent: int = 16, **tasks: tuple[str, ...]) -> Models:
        endpoint = ModelSettings(base_url="http://h/v1", price_in=2.0, price_out=4.0)
        settings = LlmSettings(
            models=dict.fromkeys(("a", "b"), endpoint),
            tasks=tasks or {"reply": ("a", "b"), "default": ("b",)},
            max_concurrent=max_concurrent,
        )
        fake = cast("Any", self.provider)
        return Models(settings, fake, fake, lambda **use: self.uses.append(use))


async def test_a_task_has_its_model_and_every_use_is_counted(autojump_clock: MockClock) -> None:
    """With what it has cost; who names no task has the default one."""
    bench = Bench(FakeProvider(seconds=1.5))

    named = await bench.models().generate("reply", HELLO, module="plugin.p.a")
    other = await bench.models().generate("", HELLO, module="plugin.p.a")

    assert (named.text, other.text) == ("a says", "b says")
    assert bench.uses[0] == {
        "model": "a",
        "provider": "openai",
        "module": "plugin.p.a",
        "kind": "response",
        "prompt_tokens": 1_000_000,
        "completion_tokens": 500_000,
        "cost": 4.0,
        "seconds": 1.5,
        "failed": False,
    }


async def test_the_next_model_of_a_task_answers_for_one_that_cannot(autojump_clock: MockClock) -> None:
    """The failure is counted too; when none can, the last reason is told."""
    bench = Bench(FakeProvider(failing={"a": LlmFailed(LlmKind.UNAVAILABLE, "a is away")}))

    answer = await bench.models().generate("reply", HELLO, module="m")
    bench.provider.failing["b"] = LlmFailed(LlmKind.RATE_LIMITED, "b is busy", retry_after=5.0)
    with pytest.raises(LlmFailed, match="b is busy") as caught:
        await bench.models().generate("reply", HELLO, module="m")

    assert answer.text == "b says"
    assert caught.value.retry_after == 5.0
    assert [(use["model"], use["failed"]) for use in bench.uses] == [
        ("a", True),
        ("b", False),
        ("a", True),
        ("b", True),
    ]


@pytest.mark.parametrize(
    ("tasks", "task", "text"),
    [
        ({}, "nope", "there is no task 'nope' for language models; there is reply, default"),
        ({"only": ("gone",)}, "", "names model 'gone', which is not there"),
    ],
)
async def test_a_task_that_is_not_there_is_told(
    autojump_clock: MockClock, tasks: dict[str, tuple[str, ...]], task: str, text: str
) -> None:
    """With those that there are."""
    with pytest.raises(LlmFailed, match=text) as caught:
        await Bench().models(**tasks).generate(task, HELLO, module="m")

    assert caught.value.kind is LlmKind.NOT_CONFIGURED


async def test_a_bot_without_models_says_how_to_have_one(autojump_clock: MockClock) -> None:
    """In which file, and which sections; it opens nothing for them either."""
    fake = cast("Any", None)
    models = Models(LlmSettings(), fake, fake, lambda **_: None, file="/d/rookery.toml")

    await models.run()
    with pytest.raises(LlmFailed, match=r"add \[llm\.models\.NAME\] and \[llm\.tasks\] to /d/rookery.toml"):
        await models.generate("", HELLO, module="m")

    assert models.tasks == ()
    assert not models.needs_http


async def test_so_many_questions_are_out_at_once(autojump_clock: MockClock) -> None:
    """The others wait, and all are answered; one whose caller goes waits no longer."""
    bench = Bench(FakeProvider(seconds=1.0))
    models = bench.models(max_concurrent=2)

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(lambda name: models.generate("", HELLO, module=name), f"m{number}")
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.5) as gone:
            await models.generate("", HELLO, module="m")

    assert gone.cancelled_caught
    assert bench.provider.most == 2
    assert len(bench.provider.asked) == 6


async def test_what_was_heard_is_counted_apart(autojump_clock: MockClock) -> None:
    """Under a name of its own, as the original does."""
    bench = Bench()

    await bench.models().transcribe("", Audio(data=b"wave"), module="plugin.p.a")

    assert [use["module"] for use in bench.uses] == ["plugin.p.a.asr"]


async def test_one_plugin_takes_not_every_place(autojump_clock: MockClock) -> None:
    """Whoever floods, with questions of several kinds, waits for itself, and another is answered at once."""
    bench = Bench(FakeProvider(seconds=10.0))
    models = bench.models(max_concurrent=4)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(lambda: models.generate("", HELLO, module="flood"))
            nursery.start_soon(lambda: models.transcribe("", Audio(data=b"wave"), module="flood"))
        await trio.testing.wait_all_tasks_blocked()
        flooding = bench.provider.running
        began = trio.current_time()
        await models.generate("", HELLO, module="other")
        waited = trio.current_time() - began
        nursery.cancel_scope.cancel()

    assert (flooding, waited) == (3, 10.0)


async def test_the_parts_of_many_texts_are_questions_like_others(autojump_clock: MockClock) -> None:
    """Whatever the caller says that may be out together: each part takes a place, and not every place."""
    bench = Bench(FakeProvider(seconds=1.0))

    await bench.models(max_concurrent=4).embed("default", ["x"] * 1000, module="m", at_once=1000)

    assert bench.provider.most == 3


async def test_many_texts_are_asked_in_parts(autojump_clock: MockClock) -> None:
    """As many at once as the caller wants, and the vectors come in the order of the texts."""
    bench = Bench(FakeProvider(seconds=1.0))
    texts = ["x" * number for number in range(1, 201)]

    found = await bench.models().embed("default", texts, module="m", at_once=2)

    assert [vector[0] for vector in found.vectors] == [float(number) for number in range(1, 201)]
    assert (len(bench.provider.asked), bench.provider.most) == (4, 2)


async def test_one_part_that_fails_fails_the_whole(autojump_clock: MockClock) -> None:
    """The others are given up: half of the vectors are of no use."""
    bench = Bench(FakeProvider(failing={"b": LlmFailed(LlmKind.REFUSED, "no")}))

    with pytest.raises(LlmFailed, match="no"):
        await bench.models().embed("default", ["x"] * 500, module="m")


# --- plugins as providers ----------------------------------------------------------------------------------------------

MINE = ModelSettings(provider="mine", model="m-1", timeout=5.0, extra={"top": 1})


def _provider(stage: Stage, answer: Any) -> PluginProvider:
    table = ProviderTable(stage.registry)
    providers = [LLMProviderDeclaration(client_type="mine")]
    registered = RegisterComponents(plugin_id="p.serves", llm_providers=providers)
    registration = stage.registry.register(registered, shard="one", is_trusted=True, live=True)
    table.note(registration, providers)
    stage._handlers["p.serves", "mine"] = answer if callable(answer) else lambda _: answer
    return PluginProvider(table, stage.dispatcher)


async def test_a_plugin_is_asked_in_the_words_of_the_protocol(autojump_clock: MockClock) -> None:
    """It is told the model and everything that an operator adds, and no key, because that of the host is none of its own."""
    async with open_stage("one") as stage:
        provider = _provider(stage, said({"content": "yes", "usage": {"prompt_tokens": 3}}))

        answer = await provider.generate("small", MINE, HELLO)

        (sent,) = stage.links["one"].sent
        request = sent.payload["request"]
        assert sent.method == "plugin.invoke_llm_provider"
        assert (sent.payload["client_type"], sent.payload["operation"]) == ("mine", "response")
        assert request["context_items"] == [{"type": "message", "role": "user", "content": "hi"}]
        assert request["message_list"] == [{"role": "user", "content": "hi"}]
        assert request["item_schema_version"] == 1
        assert request["extra_params"] == {"top": 1}
        assert request["model_info"]["model_identifier"] == "m-1"
        assert request["api_provider"]["api_key"] == ""
        assert sent.deadline <= trio.current_time() + 5.0
        assert (answer.text, answer.model, answer.usage.prompt) == ("yes", "m-1", 3)


@pytest.mark.parametrize(
    ("result", "text", "reasoning", "calls"),
    [
        pytest.param({"content": "a", "reasoning_content": "b"}, "a", "b", 0, id="the older form"),
        pytest.param({"response": "a", "reasoning": "b"}, "a", "b", 0, id="the oldest form"),
        pytest.param({"tool_calls": [{"name": "roll", "arguments": {"n": 1}}]}, "", "", 1, id="tools only"),
        pytest.param(
            {
                "item_schema_version": 1,
                "output_items": [
                    {"type": "reasoning", "summary": [{"text": "b"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
                    {"type": "function_call", "call_id": "c", "name": "roll", "arguments": "{}"},
                    {"type": "something_new"},
                ],
            },
            "a",
            "b",
            1,
            id="items",
        ),
    ],
)
async def test_every_form_of_an_answer_is_understood(
    autojump_clock: MockClock, result: dict[str, Any], text: str, reasoning: str, calls: int
) -> None:
    """Of all generations of plugins."""
    async with open_stage("one") as stage:
        answer = await _provider(stage, said(result)).generate("small", MINE, HELLO)

        assert (answer.text, answer.reasoning, len(answer.tool_calls)) == (text, reasoning, calls)


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (said(None), LlmKind.BAD_ANSWER, "gives no answer"),
        (said("text"), LlmKind.BAD_ANSWER, "gives no answer"),
        (said({"success": False, "error": "no quota"}), LlmKind.BAD_ANSWER, "no quota"),
        (said({}), LlmKind.BAD_ANSWER, "neither content nor output_items"),
        (said({"output_items": [], "item_schema_version": 2}), LlmKind.BAD_ANSWER, "items of version 2"),
        (
            {"success": False, "result": "ValueError: x"},
            LlmKind.REFUSED,
            "p.serves, which serves 'mine', failed",
        ),
        (None, LlmKind.TIMEOUT, "p.serves, which serves 'mine'"),
        (Late(99.0, said({})), LlmKind.TIMEOUT, "p.serves"),
    ],
)
async def test_what_is_no_answer_of_a_plugin_is_told(
    autojump_clock: MockClock, answer: Any, kind: LlmKind, text: str
) -> None:
    """And which plugin it was."""
    async with open_stage("one") as stage:
        with pytest.raises(LlmFailed) as caught:
            await _provider(stage, answer).generate("small", MINE, HELLO)

        assert caught.value.kind is kind
        assert text in str(caught.value)


async def test_vectors_and_speech_come_from_plugins_too(autojump_clock: MockClock) -> None:
    """One text at a time, as the protocol has it."""

    async with open_stage("one") as stage:
        provider = _provider(stage, said({"embedding": [1, 2]}))
        found = await provider.embed("vectors", MINE, ["a", "b"])
        stage._handlers["p.serves", "mine"] = lambda _: said({"content": "heard"})
        text = await provider.transcribe("voice", MINE, Audio(data=b"x"))

        assert found.vectors == ([1.0, 2.0], [1.0, 2.0])
        assert text == "heard"
        sent = [each.payload for each in stage.links["one"].sent]
        assert [each["operation"] for each in sent] == ["embedding", "embedding", "audio_transcription"]
        assert sent[0]["request"]["embedding_input"] == "a"
        assert sent[2]["request"]["audio_base64"] == "eA=="


async def test_a_client_type_that_nobody_serves_is_told(autojump_clock: MockClock) -> None:
    """With the model that needs it; another may answer meanwhile."""
    async with open_stage("one") as stage:
        provider = PluginProvider(ProviderTable(stage.registry), stage.dispatcher)

        with pytest.raises(
            LlmFailed, match="no plugin that is loaded serves the client type 'mine'"
        ) as caught:
            await provider.generate("small", MINE, HELLO)

        assert caught.value.is_passing
