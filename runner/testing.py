"""How does an author test a plugin without a bot: run it here, against a fake host, in no process but this one.

::

    async def test_a_roll_has_as_many_dice_as_asked_for() -> None:
        async with run_plugin(Dice, config={"seed": "luck"}) as plugin:
            reply = await plugin.command("roll", "2d6")

        assert reply.startswith("2d6:")

Handlers go through the same code as in a runner: arguments are bound by name, results have to be sendable, plain functions
run in threads. What fails in the plugin is raised here as ``PluginFailed`` with the plugin's own error as its cause.
"""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import trio

from rookery.protocol import (
    MANIFEST_NAMES,
    METHODS,
    PLUGIN_EMIT_EVENT,
    PLUGIN_INVOKE_ACTION,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_COMMAND,
    PLUGIN_INVOKE_HOOK,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    PLUGIN_INVOKE_TOOL,
    AssignedPlugin,
    ComponentType,
    Manifest,
    build_message,
    parse_manifest,
)

from .border import PluginFailed, call_guarded, log_failure, run_guarded
from .config_file import read_config
from .discovery import CODE_NAME, Candidate
from .fake_host import FakeHost, FakeRequest, Published, Sent
from .invoke import Invoker
from .loaded import LoadedPlugin, assemble_plugin, make_plugin
from .loader import import_plugin, module_name_of, purge_modules
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from .components import Component
    from .configuration import PluginConfig
    from .plugin import Plugin

__all__ = ["FakeHost", "Published", "RunningPlugin", "Sent", "run_plugin"]

_P = TypeVar("_P", bound="Plugin[Any]")

IMPORT_TIME_LIMIT = 30.0  # seconds; a test says itself when it wants less
THREADS = 8  # as a runner has by default

FIRST_MESSAGE_AT = 1_700_000_000.0
"""Unix seconds of the first message of a test; each later one comes a second later."""


def run_plugin(
    plugin: type[_P] | str | Path,
    *,
    config: Mapping[str, Any] | None = None,
    data_dir: Path | None = None,
    capabilities: Mapping[str, Callable[..., Any]] | None = None,
    terminal: Mapping[str, int] | None = None,
    command_prefix: str = "!",
) -> RunningPlugin[_P]:
    """Run a plugin for the length of an ``async with``: ``on_load`` before it, ``on_unload`` after it.

    Args:
        plugin: Its class, which is then granted every capability; or its directory, whose manifest says what is granted
            and whose ``config.toml`` counts.
        config: What a deployment would say.
        data_dir: For the plugin's files; ``None`` makes a directory that goes away afterwards.
        capabilities: Services of the host that the test plays, by name: functions of their arguments. ``send.text``,
            ``database.*`` and ``config.get`` are there anyway.

    Raises:
        DeclarationError, PluginConfigError, ManifestError, PluginFailed: As in a runner, when the block is entered.
    """
    return RunningPlugin(
        plugin, dict(config or {}), data_dir, dict(capabilities or {}), dict(terminal or {}), command_prefix
    )


class RunningPlugin(Generic[_P]):
    """A plugin under test.

    Attributes:
        host: What the plugin has told its host; the properties below are short for parts of it.
        loaded: What a runner holds of the plugin.
    """

    host: FakeHost
    loaded: LoadedPlugin

    def __init__(
        self,
        target: type[_P] | str | Path,
        config: dict[str, Any],
        data_dir: Path | None,
        capabilities: dict[str, Callable[..., Any]],
        terminal: dict[str, int],
        command_prefix: str,
    ) -> None:
        self._target = target
        self._config = config
        self._data_dir = data_dir
        self._capabilities = capabilities
        self._terminal = terminal
        self._prefix = command_prefix
        self._stack = AsyncExitStack()
        self._messages = 0
        self._failures: list[PluginFailed] = []

    # --- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._data_dir is None:
                self._data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            # Entered by hand: told of an error, a nursery wraps it in a group, and a test's own errors must not change.
            manager = trio.open_nursery()
            nursery = await manager.__aenter__()
            stack.push_async_callback(manager.__aexit__, None, None, None)
            stack.callback(nursery.cancel_scope.cancel)
            self._invoker = Invoker(trio.CapacityLimiter(THREADS), lambda _: None, self._note_failure)
            self.host = FakeHost(
                nursery=nursery,
                capabilities=self._capabilities,
                terminal=self._terminal,
                command_prefix=self._prefix,
            )
            self.loaded = self._load(stack)
            await run_guarded(self.loaded.plugin_id, self.loaded.instance.on_load)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._stack:
            await run_guarded(self.loaded.plugin_id, self.loaded.instance.on_unload)
        if error is None and self.host.failures:
            raise self.host.failures[0]

    def _load(self, stack: AsyncExitStack) -> LoadedPlugin:
        if isinstance(self._target, type):
            return self._load_class(self._target)
        directory = Path(self._target)
        manifest = _read_manifest(directory)
        assigned = self._assigned(manifest.plugin_id, str(directory))
        self.host.granted = manifest.capabilities
        candidate = Candidate(manifest=manifest, path=directory, assigned=assigned)
        module = import_plugin(candidate, time_limit=IMPORT_TIME_LIMIT)
        stack.callback(purge_modules, module_name_of(manifest.plugin_id))
        return make_plugin(module, manifest, self.host, assigned, read_config(directory, self._config))

    def _load_class(self, plugin_class: type[_P]) -> LoadedPlugin:
        manifest = Manifest(
            plugin_id=f"test.{plugin_class.__name__.lower()}", version="1.0.0", name=plugin_class.__name__
        )
        assigned = self._assigned(manifest.plugin_id, "")
        instance = call_guarded(manifest.plugin_id, plugin_class)
        return assemble_plugin(instance, manifest, self.host, assigned, self._config)

    def _assigned(self, plugin_id: str, path: str) -> AssignedPlugin:
        return AssignedPlugin(
            plugin_id=plugin_id, path=path, config=self._config, data_dir=str(self._data_dir)
        )

    # --- what can be looked at -------------------------------------------------------------------------------------

    @property
    def instance(self) -> _P:
        instance: _P = self.loaded.instance  # type: ignore[assignment]  # a directory's class is known to nobody
        return instance

    @property
    def config(self) -> PluginConfig:
        config: PluginConfig = self.loaded.instance.config
        return config

    @property
    def sent(self) -> list[Sent]:
        """The texts that it has sent, replies of event handlers included."""
        return self.host.sent

    @property
    def database(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Its tables; a test may fill them."""
        return self.host.database

    @property
    def routed(self) -> list[Message]:
        """The messages from outside that it has handed to the host."""
        return self.host.routed

    @property
    def failures(self) -> list[PluginFailed]:
        """Of its background tasks. What is still in this list at the end fails the test."""
        return self.host.failures

    # --- what can be done to it ------------------------------------------------------------------------------------

    def message(
        self,
        text: str = "",
        *,
        user: str = "ann",
        chat: str | None = "lobby",
        message_id: str | None = None,
        timestamp: float | None = None,
        platform: str = "test",
        **additional: Any,
    ) -> Message:
        """Make a message that somebody could have written.

        Args:
            chat: The group; ``None`` for a private message.
            message_id: ``None`` counts: ``m1``, ``m2``, …
            timestamp: Unix seconds; ``None`` takes a second after the last one.
        """
        self._messages += 1
        made = build_message(
            message_id=message_id or f"m{self._messages}",
            platform=platform,
            user_id=user,
            user_name=user,
            text=text,
            timestamp=FIRST_MESSAGE_AT + self._messages - 1 if timestamp is None else timestamp,
            group_id=chat,
            additional=additional,
        )
        return Message(made)

    async def command(
        self,
        name: str,
        args: str = "",
        *,
        message: Message | None = None,
        matched_groups: Mapping[str, str] | None = None,
        **who: Any,
    ) -> Any:
        """Call a command as if somebody had written it; return its reply, ``None`` for none.

        Args:
            args: What follows the name.
            message: ``None`` makes one; further arguments then go to ``message()``.
        """
        text = f"{self._prefix}{name} {args}".rstrip()
        said = message or self.message(text, **who)
        given = {
            "text": said.text,
            "args": args,
            "message": said.raw,
            "stream_id": said.session_id,
            "group_id": said.group_id,
            "platform": said.platform,
            "user_id": said.user_id,
            "matched_groups": dict(matched_groups or {}),
        }
        return await self._result(PLUGIN_INVOKE_COMMAND, name, given)

    async def event(
        self,
        event: str,
        message: Message | str | None = None,
        /,
        *,
        args: Mapping[str, Any] | None = None,
        **who: Any,
    ) -> Published:
        """Publish an event to its handlers in their order; ``sent`` has their replies then.

        As in a host, only those are called whose filter fits the message.

        Args:
            message: A text makes one; further arguments then go to ``message()``.
            args: What else the event carries.
        """
        said = self.message(message, **who) if isinstance(message, str) else message
        handlers = [
            component
            for component in self._components(ComponentType.EVENT_HANDLER)
            if component.declared.metadata["event_type"] == event
            and component.filter.fits(None if said is None else said.raw)
        ]
        # Those that may change the event come first, one after the other; then the rest sees what came of it.
        handlers.sort(
            key=lambda handler: (not handler.intercepts, -handler.declared.metadata["weight"], handler.name)
        )
        results = []
        for handler in handlers:
            given = {"event_type": event, **(args or {})}
            if said is not None:
                given["message"] = said.raw
            answer = await self._ask(PLUGIN_EMIT_EVENT, handler.name, given)
            if answer["modified_message"] is not None:
                said = Message(answer["modified_message"])
            if answer["custom_result"] is not None:
                results.append(answer["custom_result"])
            if not answer["continue_processing"]:
                return Published(message=said, stopped=True, results=tuple(results))
        return Published(message=said, results=tuple(results))

    async def hook(self, point: str, /, **arguments: Any) -> Published:
        """Come to a point of the host's flow; ``message`` may be a ``Message`` or its text."""
        if isinstance(arguments.get("message"), str):
            arguments["message"] = self.message(arguments["message"])
        given = {key: value.raw if isinstance(value, Message) else value for key, value in arguments.items()}
        handlers = [
            component
            for component in self._components(ComponentType.HOOK_HANDLER)
            if component.declared.metadata.get("hook") == point
        ]
        handlers.sort(key=_hook_order)
        results = []
        for handler in handlers:
            answer = await self._ask(PLUGIN_INVOKE_HOOK, handler.name, {"hook_name": point, **given})
            if answer["action"] == "abort":
                return Published(arguments=given, stopped=True, reason=answer["custom_result"])
            given = answer["modified_kwargs"] or given
            if answer["custom_result"] is not None:
                results.append(answer["custom_result"])
        said = Message(given["message"]) if isinstance(given.get("message"), dict) else None
        return Published(message=said, arguments=given, results=tuple(results))

    async def deliver(self, gateway: str, message: Message | str, **who: Any) -> Any:
        """Send a message out through one of its gateways; return what the gateway says of it."""
        said = self.message(message, **who) if isinstance(message, str) else message
        route = {"platform": said.platform, "account_id": "", "scope": ""}
        given = {"message": said.raw, "route": route, "metadata": {}}
        return await self._result(PLUGIN_INVOKE_MESSAGE_GATEWAY, gateway, given)

    async def tool(self, name: str, /, **args: Any) -> Any:
        """Call a tool; return its result."""
        return await self._result(PLUGIN_INVOKE_TOOL, name, args)

    async def action(self, name: str, /, **args: Any) -> Any:
        """Run an action; return its result."""
        return await self._result(PLUGIN_INVOKE_ACTION, name, args)

    async def api(self, name: str, /, **args: Any) -> Any:
        """Call an API as another plugin would; return its result."""
        return await self._result(PLUGIN_INVOKE_API, name, args)

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Give it another configuration, as a deployment that changes its file does."""
        self.loaded.replace_config(config)
        await run_guarded(self.loaded.plugin_id, self.loaded.instance.on_config_update)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _components(self, component_type: ComponentType) -> list[Component]:
        return [each for each in self.loaded.components.values() if each.type is component_type]

    async def _result(self, method: str, name: str, args: dict[str, Any]) -> Any:
        return (await self._ask(method, name, args))["result"]

    async def _ask(self, method: str, name: str, args: dict[str, Any]) -> dict[str, Any]:
        request = FakeRequest(METHODS[method], {"component_name": name, "args": args})
        await self._invoker.answer(request, self.loaded)
        if request.error is not None:
            raise request.error
        assert request.answered is not None
        if not request.answered["success"]:
            raise self._failures[-1]
        return request.answered

    def _note_failure(self, plugin_id: str, what: str, failure: PluginFailed) -> None:
        log_failure(plugin_id, what, failure)
        self._failures.append(failure)


def _hook_order(handler: Component) -> tuple[bool, int, str]:
    metadata = handler.declared.metadata
    return metadata["mode"] == "observe", ("early", "normal", "late").index(metadata["order"]), handler.name


def _read_manifest(directory: Path) -> Manifest:
    for name in MANIFEST_NAMES:
        path = directory / name
        if path.is_file():
            return parse_manifest(name, path.read_bytes())
    raise FileNotFoundError(f"{directory} is no plugin: it has no {MANIFEST_NAMES[0]} beside its {CODE_NAME}")
