"""One question for one task: which model answers it, how long does it wait, and who hears what it has cost?"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from .conversation import Usage
from .failure import LlmFailed, LlmKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from .conversation import Answer, Audio, Question, Vectors
    from .http import HttpProvider
    from .plugin_provider import PluginProvider
    from .settings import LlmSettings, ModelSettings

T = TypeVar("T")

RESPONSE = "response"
EMBEDDING = "embedding"
SPEECH = "audio_transcription"

TEXTS_AT_ONCE = 64
"""That one question for vectors holds."""

MILLION = 1_000_000

SHARE = 0.75
"""Of the questions that may be out at once, those that may be of one plugin."""


class NoteUse(Protocol):
    """Told each question that has ended. It must not raise."""

    def __call__(
        self,
        *,
        model: str,
        provider: str,
        module: str,
        kind: str,
        prompt_tokens: int,
        completion_tokens: int,
        cost: float,
        seconds: float,
        failed: bool,
    ) -> None: ...


class Models:
    """The models of a deployment, by the tasks that they are for.

    Args:
        file: The configuration, for messages that say where something is missing.
    """

    def __init__(
        self,
        settings: LlmSettings,
        http: HttpProvider,
        plugins: PluginProvider,
        note_use: NoteUse,
        *,
        file: str = "rookery.toml",
    ) -> None:
        self._settings = settings
        self._http = http
        self._plugins = plugins
        self._note_use = note_use
        self._file = file
        self._places = trio.CapacityLimiter(settings.max_concurrent)
        self._own_places: dict[str, trio.CapacityLimiter] = {}
        """By who asks: nobody has all of them."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """What a plugin may ask for, in the order of the file."""
        return tuple(self._settings.tasks)

    @property
    def needs_http(self) -> bool:
        """Whether a model is reached over the network."""
        return any(model.is_http for model in self._settings.models.values())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep what is needed to ask, until cancelled."""
        if self.needs_http:
            await self._http.run(task_status=task_status)
        else:
            task_status.started()

    async def generate(self, task: str, question: Question, *, module: str) -> Answer:
        """An answer.

        Args:
            task: "" for the default one.
            module: Who asks, for the statistics.

        Raises:
            LlmFailed: No model of the task has given one; of the last that was asked.
        """

        async def ask(name: str, model: ModelSettings) -> Answer:
            async with self._own_place(module), self._places:
                with self._counted(name, model, module, RESPONSE) as note:
                    answer = await self._provider(model).generate(name, model, question)
                    note(answer.usage)
            return answer

        return await self._first(task, module, ask)

    async def embed(
        self, task: str, texts: Sequence[str], *, module: str, at_once: int | None = None
    ) -> Vectors:
        """The vectors of texts, in their order; otherwise as ``generate``.

        Args:
            at_once: How many questions may be out together.
        """

        async def ask(name: str, model: ModelSettings) -> Vectors:
            return await self._embed_with(name, model, texts, module, at_once or 1)

        return await self._first(task, module, ask)

    async def transcribe(self, task: str, audio: Audio, *, module: str) -> str:
        """What was said; otherwise as ``generate``."""

        async def ask(name: str, model: ModelSettings) -> str:
            async with self._own_place(module), self._places:
                with self._counted(name, model, f"{module}.asr", SPEECH):
                    return await self._provider(model).transcribe(name, model, audio)

        return await self._first(task, module, ask)

    # --- inside ------------------------------------------------------------------------------------------------

    async def _embed_with(
        self, name: str, model: ModelSettings, texts: Sequence[str], module: str, at_once: int
    ) -> Vectors:
        from .conversation import Vectors

        parts = [texts[place : place + TEXTS_AT_ONCE] for place in range(0, len(texts), TEXTS_AT_ONCE)]
        found: list[Vectors | None] = [None] * len(parts)
        failures: list[LlmFailed] = []
        places = trio.Semaphore(at_once)

        async def ask(index: int, nursery: trio.Nursery) -> None:
            async with places, self._own_place(module), self._places:
                try:
                    with self._counted(name, model, module, EMBEDDING) as note:
                        found[index] = await self._provider(model).embed(name, model, parts[index])
                        note(found[index].usage)  # type: ignore[union-attr]  # it was found in the line before
                except LlmFailed as failure:
                    failures.append(failure)
                    nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for index in range(len(parts)):
                nursery.start_soon(ask, index, nursery)
        if failures:
            raise failures[0]
        whole = [part for part in found if part is not None]
        return Vectors(
            vectors=tuple(vector for part in whole for vector in part.vectors), model=whole[0].model
        )

    async def _first(self, task: str, module: str, ask: Callable[[str, ModelSettings], Awaitable[T]]) -> T:
        """Ask the models of a task one after the other, until one answers. Each question takes its place itself."""
        last: LlmFailed | None = None
        for name in self._models_of(task):
            model = self._settings.models.get(name)
            if model is None:
                last = LlmFailed(
                    LlmKind.NOT_CONFIGURED, f"task {task!r} names model {name!r}, which is not there"
                )
                continue
            try:
                return await ask(name, model)
            except LlmFailed as failure:
                last = failure
        assert last is not None, "a task has a model"
        raise last

    def _own_place(self, module: str) -> trio.CapacityLimiter:
        if module not in self._own_places:
            most = max(1, int(self._settings.max_concurrent * SHARE))
            self._own_places[module] = trio.CapacityLimiter(most)
        return self._own_places[module]

    def _models_of(self, task: str) -> tuple[str, ...]:
        wanted = task or self._settings.default_task
        models = self._settings.tasks.get(wanted, ())
        if models:
            return models
        if not self._settings.tasks:
            text = f"no language model is configured: add [llm.models.NAME] and [llm.tasks] to {self._file}"
        else:
            text = f"there is no task {wanted!r:.80} for language models; there is {', '.join(self.tasks)}"
        raise LlmFailed(LlmKind.NOT_CONFIGURED, text)

    def _provider(self, model: ModelSettings) -> HttpProvider | PluginProvider:
        return self._http if model.is_http else self._plugins

    @contextmanager
    def _counted(
        self, name: str, model: ModelSettings, module: str, kind: str
    ) -> Iterator[Callable[[Usage], None]]:
        """Count the question that is asked inside, however it ends; what is given is told what it has used."""
        began = trio.current_time()
        used, failed = Usage(), True

        def note(usage: Usage) -> None:
            nonlocal used
            used = usage

        try:
            yield note
            failed = False
        finally:
            self._note_use(
                model=name,
                provider=model.provider,
                module=module,
                kind=kind,
                prompt_tokens=used.prompt,
                completion_tokens=used.completion,
                cost=(used.prompt * model.price_in + used.completion * model.price_out) / MILLION,
                seconds=trio.current_time() - began,
                failed=failed,
            )
