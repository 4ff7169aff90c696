"""What does a plugin offer others for good, and what while it runs?"""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import ErrorCode, RemoteError, RequestTimedOut
from rookery.runner import CapabilityFailed, DeclarationError, DynamicApi, Plugin, api, tool
from rookery.runner.components import collect_components
from rookery.runner.testing import run_plugin


class Versions(Plugin):
    @api("look", public=True)
    async def old(self) -> str:
        return "old"

    @api("look", version="2", public=True)
    async def new(self) -> str:
        return "new"


class Dynamic(Plugin):
    async def echo(self, word: str = "") -> str:
        return word

    @api("fixed")
    async def fixed(self) -> str:
        return "fixed"


def test_an_api_may_have_several_versions() -> None:
    """The first is called by its name, a further one by a name of its own that the host is told."""
    components = collect_components(Versions())

    told = [each.declaration("p.a") for each in components.values()]

    assert list(components) == ["look", "look@2"]
    assert [(each.name, each.metadata["version"]) for each in told] == [("look", "1"), ("look", "2")]
    assert [each.metadata.get("handler_name") for each in told] == [None, "look@2"]


async def test_a_further_version_is_called_by_the_name_that_the_host_was_told() -> None:
    """Each runs its own function."""
    async with run_plugin(Versions) as plugin:
        assert [await plugin.api("look"), await plugin.api("look@2")] == ["old", "new"]


def test_one_version_twice_is_a_mistake() -> None:
    """So is an API that is called as something else is."""

    class Twice(Plugin):
        @api("look")
        async def one(self) -> None: ...

        @api("look")
        async def other(self) -> None: ...

    class Both(Plugin):
        @tool("look")
        async def one(self) -> None: ...

        @api("look")
        async def other(self) -> None: ...

    with pytest.raises(DeclarationError, match=r"Twice.other: two APIs of Twice are called 'look'"):
        collect_components(Twice())
    with pytest.raises(DeclarationError, match=r"Both.other: a API and a TOOL of Both are called 'look'"):
        collect_components(Both())


async def test_dynamic_apis_are_there_before_the_host_hears_of_them() -> None:
    """What is not among them any more is not called any more."""
    told: list[dict[str, Any]] = []

    async def replace(**args: Any) -> dict[str, Any]:
        told.append(args)
        return {"success": True, "count": len(args["apis"]), "offlined": 1}

    async with run_plugin(Dynamic, capabilities={"api.replace_dynamic": replace}) as plugin:
        ctx, echo = plugin.loaded.ctx, plugin.loaded.instance.echo
        await ctx.api.replace_dynamic([DynamicApi("one", echo, public=True, timeout=2.0)])
        called = told[0]["apis"][0]["metadata"]["handler_name"]
        first = await plugin.api(called, word="hi")
        offlined = await ctx.api.replace_dynamic([DynamicApi("two", echo)], offline_reason="night")

        with pytest.raises(RemoteError) as gone:
            await plugin.api(called)

    assert (first, offlined) == ("hi", 1)
    assert gone.value.code is ErrorCode.E_METHOD_NOT_ALLOWED
    assert told[0]["apis"] == [
        {
            "name": "one",
            "type": "API",
            "metadata": {
                "description": "",
                "version": "1",
                "public": True,
                "dynamic": True,
                "handler_name": called,
                "timeout_ms": 2000,
            },
        }
    ]
    assert told[1]["offline_reason"] == "night"


async def test_a_set_that_the_host_refuses_changes_nothing() -> None:
    """The ones before are still called."""
    answers = [{"success": True, "offlined": 0}, {"success": False, "error": "no", "kind": "refused"}]

    async with run_plugin(
        Dynamic, capabilities={"api.replace_dynamic": lambda **_: answers.pop(0)}
    ) as plugin:
        ctx, echo = plugin.loaded.ctx, plugin.loaded.instance.echo
        await ctx.api.replace_dynamic([DynamicApi("one", echo)])
        before = dict(plugin.loaded.components)
        with pytest.raises(CapabilityFailed, match="no") as caught:
            await ctx.api.replace_dynamic([DynamicApi("two", echo)])

        assert plugin.loaded.components == before
        assert caught.value.kind == "refused"


@pytest.mark.parametrize("wrong", [DynamicApi("", print), DynamicApi("x", 3), DynamicApi(3, print)])  # type: ignore[arg-type]
async def test_what_cannot_be_called_is_told_at_once(wrong: DynamicApi) -> None:
    """Before the host hears of it."""
    async with run_plugin(Dynamic) as plugin:
        with pytest.raises(DeclarationError, match="takes a name and a function"):
            await plugin.loaded.ctx.api.replace_dynamic([wrong])


@pytest.mark.parametrize(
    "error",
    [
        RemoteError(ErrorCode.E_TIMEOUT, "late"),
        RequestTimedOut("late"),
        {"success": False, "kind": "timeout"},
    ],
)
async def test_a_call_that_comes_too_late_is_told_in_one_way(error: Any) -> None:
    """Whether the callee, the host or this runner has noticed it."""

    async def call(**_: Any) -> dict[str, Any]:
        if isinstance(error, Exception):
            raise error
        return {**error, "error": "late", "maybe_executed": True}

    async with run_plugin(Dynamic, capabilities={"api.call": call}) as plugin:
        with pytest.raises(CapabilityFailed, match="late") as caught:
            await plugin.loaded.ctx.api.call("x")

    assert (caught.value.kind, caught.value.maybe_executed) == ("timeout", True)
