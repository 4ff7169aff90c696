"""Decorators note what they are told and explain what they cannot take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rookery.protocol import ComponentDeclaration
from rookery.runner import (
    DeclarationError,
    Message,
    Plugin,
    action,
    api,
    command,
    event_handler,
    hook,
    message_gateway,
    tool,
)
from rookery.runner.components import collect_components


class Everything(Plugin):
    @command(
        "roll", description="Rolls.", aliases=["/r"], timeout=1.5, chat_scope="group", allowed_session=["g"]
    )
    async def roll_dice(self, args: str) -> str:
        return args

    @command(pattern=r"^weather in (?P<city>\w+)$")
    async def weather(self, city: str) -> str:
        return city

    @event_handler("on_message", weight=5, intercept=True)
    async def watch(self, message: Message) -> None: ...

    @hook("chat.receive.before_process", order="early", mode="observe", error_policy="log", name="look")
    def peek(self, message: Message) -> None: ...

    @tool("count", description="Counts.")
    async def count_words(self, text: str, most: int = 3) -> int:
        return len(text.split()[:most])

    @action("wave")
    async def wave(self) -> None:
        """Waves."""

    @message_gateway("door", route_type="duplex", platform="test", account_id="a")
    async def deliver(self, message: Message) -> None: ...

    @api("answer", public=True, version="2")
    @staticmethod
    async def answer() -> int:
        return 42


def declarations() -> dict[str, ComponentDeclaration]:
    return {
        name: component.declaration("test.everything")
        for name, component in collect_components(Everything()).items()
    }


def test_components_are_listed_in_the_order_of_their_definition() -> None:
    """Under their own names, or those of the functions."""
    found = collect_components(Everything())

    assert list(found) == ["roll", "weather", "watch", "look", "count", "wave", "door", "answer"]
    assert [name for name, component in found.items() if not component.is_async] == ["look"]


@pytest.mark.parametrize(
    ("name", "kind", "metadata"),
    [
        (
            "roll",
            "COMMAND",
            {
                "description": "Rolls.",
                "aliases": ["/r"],
                "command_pattern": "",
                "command_name": "roll",
                "timeout_ms": 1500,
            },
        ),
        (
            "weather",
            "COMMAND",
            {
                "description": "",
                "aliases": [],
                "command_pattern": r"^weather in (?P<city>\w+)$",
                "command_name": "",
            },
        ),
        (
            "watch",
            "EVENT_HANDLER",
            {
                "description": "",
                "event_type": "on_message",
                "weight": 5,
                "intercept_message": True,
                "inline": True,
            },
        ),
        (
            "look",
            "HOOK_HANDLER",
            {
                "description": "",
                "hook": "chat.receive.before_process",
                "mode": "observe",
                "order": "early",
                "error_policy": "log",
            },
        ),
        (
            "count",
            "TOOL",
            {
                "description": "Counts.",
                "parameters_raw": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}, "most": {"type": "integer"}},
                    "required": ["text"],
                },
            },
        ),
        (
            "wave",
            "ACTION",
            {
                "description": "Waves.",
                "parameters_raw": {"type": "object", "properties": {}, "required": []},
            },
        ),
        (
            "door",
            "MESSAGE_GATEWAY",
            {
                "description": "",
                "route_type": "duplex",
                "platform": "test",
                "protocol": "",
                "account_id": "a",
                "scope": "",
            },
        ),
        ("answer", "API", {"description": "", "version": "2", "public": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_declaration_has_the_metadata_of_its_type(name: str, kind: str, metadata: dict[str, Any]) -> None:
    """What the host is told, key by key."""
    declared = declarations()[name]

    assert (declared.component_type, declared.metadata) == (kind, metadata)


def test_a_command_may_be_limited_to_chats() -> None:
    """Scope and sessions stand beside the metadata."""
    declared = declarations()["roll"]

    assert (declared.chat_scope, declared.allowed_session) == ("group", ["g"])


def test_an_event_handler_says_which_events_it_wants() -> None:
    """What is said, and nothing else; scope and sessions stand beside the metadata, as of a command."""

    class Picky(Plugin):
        @event_handler(
            "e", chat_scope="group", allowed_session=("g",), platforms=("irc",), pattern=r"\bdice\b"
        )
        async def picky(self) -> None: ...

        @event_handler("e", users=["ann"])
        async def friendly(self) -> None: ...

    declared = [each.declaration("p.a") for each in collect_components(Picky()).values()]

    assert [each.metadata["event_filter"] for each in declared] == [
        {"platforms": ["irc"], "pattern": r"\bdice\b"},
        {"users": ["ann"]},
    ]
    assert [(each.chat_scope, each.allowed_session) for each in declared] == [("group", ["g"]), ("all", [])]


async def _plain(self: Any) -> None: ...


def _generator(self: Any) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        pytest.param(
            lambda: command(_plain), r'needs parentheses: write @command\("roll"\)', id="bare command"
        ),  # type: ignore[arg-type]
        pytest.param(lambda: event_handler(_plain), r"needs parentheses", id="bare event handler"),  # type: ignore[arg-type]
        pytest.param(
            lambda: command("roll")(5), r"stands above a method of the plugin, got 5", id="no function"
        ),  # type: ignore[type-var]
        pytest.param(lambda: command("roll")(Everything), "stands above a method", id="a class"),
        pytest.param(lambda: command("two words"), "a name is one word, got 'two words'", id="two words"),
        pytest.param(lambda: command(5), r"takes the text of a name first, got 5", id="no name"),  # type: ignore[arg-type]
        pytest.param(
            lambda: command(pattern="("), r"pattern '\(' is not a regular expression", id="no pattern"
        ),
        pytest.param(
            lambda: command("a", aliases="ab"), "aliases is a list of texts, got 'ab'", id="a text of aliases"
        ),
        pytest.param(lambda: command("a", timeout=0), "timeout is seconds, more than 0", id="no time at all"),
        pytest.param(lambda: command("a", chat_scope="here"), "chat_scope is", id="no scope"),  # type: ignore[arg-type]
        pytest.param(lambda: event_handler(""), "takes the text of an event first, got ''", id="no event"),
        pytest.param(lambda: event_handler("e", weight=1.5), "weight is an integer", id="half a weight"),  # type: ignore[arg-type]
        pytest.param(lambda: event_handler("e", intercept="yes"), "intercept is True or False", id="yes"),  # type: ignore[arg-type]
        pytest.param(
            lambda: event_handler("e", chat_scope="x"), "@event_handler: chat_scope is", id="no chats"
        ),  # type: ignore[arg-type]
        pytest.param(
            lambda: event_handler("e", users="ann"), "users is a list of texts", id="a text of users"
        ),
        pytest.param(
            lambda: event_handler("e", platforms=[" "]), "platforms must be a list of texts that", id="blank"
        ),
        pytest.param(
            lambda: event_handler("e", pattern="a(?=b)"),
            "@event_handler: pattern has looking ahead, which a host does not judge, at character 1",
            id="a pattern that is none",
        ),
        pytest.param(lambda: hook("h", order="first"), "order is one of early, normal, late", id="no order"),  # type: ignore[arg-type]
        pytest.param(
            lambda: message_gateway("g", route_type="both"),  # type: ignore[arg-type]
            'route_type is "send", "receive" or "duplex", got \'both\'',
            id="no route",
        ),
        pytest.param(lambda: command("a")(_generator), "is a generator", id="a generator"),
        pytest.param(
            lambda: command()(lambda: None),
            "has a name of 1 to 128 characters, got ''",
            id="a function without a name",
        ),
        pytest.param(lambda: command("x" * 200)(_plain), "1 to 128 characters", id="a long name"),
    ],
)
def test_a_mistake_is_explained_at_the_decorator(declare: Callable[[], object], told: str) -> None:
    """What was given, what is expected, what to write."""
    with pytest.raises(DeclarationError, match=told):
        declare()


@pytest.mark.parametrize(
    "decorator",
    [
        command("x", idempotent=True),
        event_handler("x", idempotent=True),
        hook("x", idempotent=True),
        tool("x", idempotent=True),
        action("x", idempotent=True),
        api("x", idempotent=True),
    ],
)
def test_a_handler_may_say_that_it_can_run_again(decorator: Any) -> None:
    """Only then the host is told anything about it."""

    class It(Plugin):
        @decorator
        async def act(self) -> None: ...

        @tool("plain")
        async def plain(self) -> None: ...

    components = collect_components(It())
    assert components["x" if "x" in components else "act"].declared.metadata["idempotent"] is True
    assert "idempotent" not in components["plain"].declared.metadata


def test_idempotent_is_true_or_false() -> None:
    """A text would be true."""
    with pytest.raises(DeclarationError, match="idempotent is True or False, got 'no'"):
        command("x", idempotent="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("decorator", [event_handler, hook])
def test_the_host_asks_quick_handlers_together_that_it_is_quick(decorator: Any) -> None:
    """It is then called where coroutines are, and the host knows that it needs no thread."""

    class It(Plugin):
        @decorator("on_message", quick=True)
        def quick(self) -> None: ...

        @decorator("on_message")
        def slow(self) -> None: ...

    found = collect_components(It())

    assert [found[name].is_inline for name in ("quick", "slow")] == [True, False]
    assert found["quick"].declaration("test.it").metadata["inline"] is True
    assert "inline" not in found["slow"].declaration("test.it").metadata


@pytest.mark.parametrize("decorator", [command, tool, action, api, event_handler, hook])
def test_a_plain_function_may_say_that_it_is_quick(decorator: Any) -> None:
    """It is then called where coroutines are."""

    class It(Plugin):
        @decorator("quick", quick=True)
        def quick(self) -> None: ...

        @decorator("slow")
        def slow(self) -> None: ...

    found = collect_components(It())

    assert [found[name].is_inline for name in ("quick", "slow")] == [True, False]


@pytest.mark.parametrize("decorator", [command, tool, action, api, event_handler, hook])
def test_only_a_plain_handler_can_be_quick(decorator: Any) -> None:
    """A coroutine function has no thread that it could do without."""

    async def handler(self: Any) -> None: ...

    with pytest.raises(DeclarationError, match="quick is for plain functions"):
        decorator("on_message", quick=True)(handler)
    with pytest.raises(DeclarationError, match="quick is True or False, got 1"):
        decorator("on_message", quick=1)
