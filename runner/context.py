"""What may plugin code touch: its id, its log, its directory, its tasks, and the services of the host."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trio

from rookery.protocol import CAP_CALL, ErrorCode, RemoteError, RookeryError, check_sendable

from .apis import Apis
from .border import plugin_logger
from .capabilities import Chats, Database, HostConfig, Messages, Sender
from .gateway import Gateway
from .knowledge import Components, Persons, Statistics
from .model_services import LanguageModels, Renderer
from .records import Records
from .web import Web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rookery.protocol import AssignedPlugin


class HostServices(Protocol):
    """The host, as the runner reaches it for its plugins: over the link, or a fake in a test."""

    terminal: Mapping[str, int]
    command_prefix: str

    async def call(
        self, method: str, plugin_id: str, payload: dict[str, Any], timeout: float | None = None
    ) -> dict[str, Any]:
        """Ask and wait for the answer's payload; the request is queued before anything is awaited.

        Raises:
            RookeryError: It was refused, timed out, or could not be sent.
        """

    def send(
        self,
        method: str,
        plugin_id: str,
        payload: dict[str, Any],
        on_done: Callable[[dict[str, Any] | RookeryError], None],
        timeout: float,
    ) -> None:
        """Ask without waiting; ``on_done`` is called once.

        Raises:
            RookeryError: It was not sent, and ``on_done`` will not be called.
        """

    def start_task(
        self, plugin_id: str, func: Callable[..., Any], *args: Any, name: str | None = None
    ) -> None:
        """Run something in the background until it ends or the plugin is unloaded."""

    def extend_loading(self, plugin_id: str, seconds: float) -> None:
        """Give the plugin's ``on_load`` so many seconds from now.

        Raises:
            RuntimeError: It does not run.
        """


class Context:
    """One plugin's view of the world. Everything in it acts in the plugin's name.

    A plain handler runs in a thread and has nothing to await with. There the services are used as
    ``trio.from_thread.run(self.ctx.db.get, "table", "key")``.

    Attributes:
        plugin_id: As in the manifest.
        logger: ``plugin.<id>`` of the standard library; the host shows it with the plugin's name.
        send, db, records, config, api, chat, messages, persons, components, statistics, llm, render, http: Services of
            the host; each needs its capability in the manifest.
        gateway: For plugins that carry messages from outside.
        command_prefix: What users write before a command's name.
    """

    def __init__(self, plugin_id: str, host: HostServices, assigned: AssignedPlugin) -> None:
        self.plugin_id = plugin_id
        self.logger = plugin_logger(plugin_id)
        self.command_prefix = host.command_prefix
        self._host = host
        self._data_dir_text = assigned.data_dir
        self._data_dir: Path | None = None
        self.send = Sender(self.call_capability)
        self.db = Database(self.call_capability)
        self.config = HostConfig(self.call_capability)
        self.api = Apis(self.call_capability)
        self.chat = Chats(self.call_capability)
        self.messages = Messages(self.call_capability)
        self.records = Records(self.call_capability)
        self.persons = Persons(self.call_capability)
        self.components = Components(self.call_capability)
        self.statistics = Statistics(self.call_capability)
        self.llm = LanguageModels(self.call_capability)
        self.render = Renderer(self.call_capability)
        self.http = Web(self.call_capability)
        self.gateway = Gateway(plugin_id, host)

    def __repr__(self) -> str:
        return f"<Context of {self.plugin_id}>"

    @property
    def data_dir(self) -> Path:
        """A directory of the plugin's own, made on first use. It stays when the plugin goes.

        Raises:
            RookeryError: The host gave none, or it cannot be made.
        """
        if self._data_dir is None:
            if not self._data_dir_text:
                raise RookeryError(f"the host gave {self.plugin_id} no directory to keep files in")
            path = Path(self._data_dir_text)
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RookeryError(f"the directory {path} cannot be made: {error.strerror}") from error
            self._data_dir = path
        return self._data_dir

    @property
    def terminal(self) -> Mapping[str, int]:
        """``stdin`` and ``stdout`` as descriptor numbers, in the one shard that has the terminal; else nothing."""
        return self._host.terminal

    def start_task(self, func: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        """Run something in the background, until it ends or the plugin is unloaded.

        An ``async`` function runs as a task, a plain one in a thread. A failure is logged in the plugin's name and ends
        that task only. It may be called from the thread of a plain handler too.

        Args:
            name: For logs and stack dumps; ``None`` takes the function's.
        """
        start = functools.partial(self._host.start_task, self.plugin_id, func, *args, name=name)
        if trio.lowlevel.in_trio_run():
            start()
        else:
            trio.from_thread.run_sync(start)

    def extend_loading(self, seconds: float) -> None:
        """Ask for more time, from inside of ``on_load``: it may go on for so many seconds from now.

        The host has a limit for the loading of all plugins together, which this does not move.

        Args:
            seconds: More than 0, at most an hour.

        Raises:
            ValueError: It is out of range.
            RuntimeError: ``on_load`` does not run.
        """
        if not 0 < seconds <= 3600:
            raise ValueError(f"seconds is {seconds!r}, expected a number above 0, at most 3600")
        extend = functools.partial(self._host.extend_loading, self.plugin_id, seconds)
        if trio.lowlevel.in_trio_run():
            extend()
        else:
            trio.from_thread.run_sync(extend)

    async def call_capability(self, name: str, /, *, timeout: float | None = None, **args: Any) -> Any:
        """Use a service of the host by its name, e.g. ``await ctx.call_capability("component.get_all_plugins")``.

        Args:
            timeout: Seconds; ``None`` takes the protocol's 30.

        Returns:
            What the service says.

        Raises:
            RemoteError: The host refused: ``E_CAPABILITY_DENIED`` when the manifest does not ask for it.
            RequestTimedOut, ConnectionLost: There is no answer, and nobody knows whether it was done.
            CannotEncode, FrameTooLarge: The arguments cannot be sent.
        """
        check_sendable(args)
        try:
            answer = await self._host.call(
                CAP_CALL, self.plugin_id, {"capability": name, "args": args}, timeout
            )
        except RemoteError as error:
            if error.code is ErrorCode.E_CAPABILITY_DENIED:
                error.add_note(f'Does capabilities in plugin.toml name "{name}"?')
            raise
        return answer.get("result")
