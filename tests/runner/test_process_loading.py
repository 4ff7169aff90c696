"""A runner process loads what it is told to, and what is wrong with one plugin is wrong with no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import pytest
import trio

from rookery.protocol import AssignedPlugin, ErrorCode, RemoteError, Request
from tests.doubles.scripted_host import PLUGINS, assigned, assignment, open_runner, refused

pytestmark = pytest.mark.slow


async def test_broken_plugins_fail_alone_and_with_a_reason() -> None:
    """Exception, exit, syntax error, endless loop, endless wait: the neighbours come in."""
    names = ["raises_at_import", "exits_at_import", "syntax_error", "hangs_at_import", "sleeps_at_import"]
    names += ["raises_on_load", "hangs_on_load", "good"]

    async with open_runner(assignment(*names, plugin_load_timeout=0.4)) as host:
        ready = await host.wait_ready()
        result = await host.run("test.good", "greet")

    assert ready.loaded_plugins == ["test.good"]
    assert result == "hello nobody"
    assert ready.failed_plugin_reasons == {
        "test.raises_at_import": "RuntimeError: no such luck (plugin.py line 5)",
        "test.exits_at_import": "SystemExit: 3 (plugin.py line 7)",
        "test.syntax_error": "SyntaxError: invalid syntax (plugin.py line 3)",
        "test.hangs_at_import": "ImportTakesTooLong: importing it took longer than 0.4 s (plugin.py line 8)",
        "test.sleeps_at_import": "ImportTakesTooLong: importing it took longer than 0.4 s (plugin.py line 7)",
        "test.raises_on_load": "on_load failed: ValueError: not today (plugin.py line 10, in on_load)",
        "test.hangs_on_load": "on_load took longer than 0.4 s",
    }


async def test_the_host_is_told_in_the_order_of_the_protocol() -> None:
    """Bootstrap, components, on_load, ready; the step that may hang is announced before it."""
    async with open_runner(assignment("needs_good", "good")) as host:
        await host.wait_ready()

    assert [(method, plugin_id) for method, plugin_id, _ in host.requests] == [
        ("runner.hello", ""),
        ("plugin.bootstrap", "test.good"),
        ("plugin.register_components", "test.good"),
        ("plugin.bootstrap", "test.needs_good"),
        ("plugin.register_components", "test.needs_good"),
        ("runner.ready", ""),
    ]
    assert host.loading == [
        ("test.good", "import"),
        ("test.good", "on_load"),
        ("test.needs_good", "import"),
        ("test.needs_good", "on_load"),
        ("", ""),
    ]
    registered = host.requests[2][2]
    assert [component["name"] for component in registered["components"]][:2] == ["greet", "wait"]


async def test_a_host_that_does_not_know_loading_is_not_told() -> None:
    """What a host did not say it will use is not sent."""
    async with open_runner(assignment("good"), features=()) as host:
        await host.wait_ready()

    assert host.loading == []


async def test_a_plugin_that_failed_on_load_is_taken_back() -> None:
    """The host forgets its components and grants; on_unload does not run without on_load."""
    async with open_runner(assignment("raises_on_load")) as host:
        await host.wait_ready()

    assert [method for method, _, _ in host.requests] == [
        "runner.hello",
        "plugin.bootstrap",
        "plugin.register_components",
        "plugin.unregister",
        "plugin.bootstrap",
        "runner.ready",
    ]
    assert host.requests[4][2]["capabilities_required"] == []
    assert not any("never loaded" in message for _, message in host.logs)


async def test_a_host_that_refuses_a_plugin_keeps_it_out() -> None:
    """A refusal of the registration is the plugin's failure, not the runner's."""

    def refuse(request: Request) -> None:
        request.refuse(ErrorCode.E_BAD_PAYLOAD, "no room")

    async with open_runner(assignment("good"), answers={"plugin.register_components": refuse}) as host:
        ready = await host.wait_ready()

    assert ready.failed_plugin_reasons == {
        "test.good": "the host refused plugin.register_components: [E_BAD_PAYLOAD] no room"
    }


async def test_blocked_switched_off_missing_and_dependent_plugins() -> None:
    """Each has its own reason; who depends on a sleeper sleeps too."""
    what = assignment(
        attrs.evolve(assigned("good"), enabled=False),
        "needs_good",
        "slow",
        assigned("nowhere"),
        assigned("prints", plugin_id="test.misnamed"),
        AssignedPlugin(plugin_id="test.homeless"),
        blocked={"test.slow": "it crashed the runner 3 times"},
    )

    async with open_runner(what) as host:
        ready = await host.wait_ready()

    assert ready.loaded_plugins == []
    assert ready.inactive_plugins == ["test.good", "test.needs_good"]
    assert ready.failed_plugin_reasons == {
        "test.slow": "it crashed the runner 3 times",
        "test.nowhere": f"{PLUGINS / 'nowhere'} has neither a plugin.toml nor a _manifest.json",
        "test.misnamed": f"{PLUGINS / 'prints'} holds the plugin 'test.prints' instead",
        "test.homeless": "the host named no directory for it",
    }


async def test_a_dependency_may_live_in_another_shard() -> None:
    """The host says what runs elsewhere, and in which version."""
    async with open_runner(assignment("needs_good", external_plugins={"test.good": "1.4.0"})) as host:
        ready = await host.wait_ready()
    async with open_runner(assignment("needs_good", external_plugins={"test.good": "0.9.0"})) as host:
        not_ready = await host.wait_ready()

    assert ready.loaded_plugins == ["test.needs_good"]
    assert not_ready.failed_plugin_reasons == {
        "test.needs_good": "needs the plugin test.good >=1.0, its version is 0.9.0"
    }


async def test_a_call_that_comes_during_on_load_waits_for_it() -> None:
    """From its registration on the host may call a plugin; no handler runs on a plugin that is half there."""
    async with open_runner(assignment(assigned("slow", load=0.3))) as host:
        await host.wait_until(lambda: ("test.slow", "on_load") in host.loading)

        result = await host.run("test.slow", "is_loaded")

    assert result is True


async def test_a_call_for_a_plugin_that_fails_to_load_is_refused() -> None:
    """Waiting for on_load does not mean waiting for ever."""
    async with open_runner(assignment("hangs_on_load", plugin_load_timeout=0.3)) as host:
        await host.wait_until(lambda: ("test.hangs_on_load", "on_load") in host.loading)

        error = await refused(host.run("test.hangs_on_load", "never"))

    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_PLUGIN_NOT_FOUND


async def test_the_configuration_is_the_deployments_over_the_plugins_own(tmp_path: Path) -> None:
    """config.toml beside the plugin, the assignment's values over it; a mistake keeps the plugin out."""
    own = tmp_path / "good"
    shutil.copytree(PLUGINS / "good", own, ignore=shutil.ignore_patterns("__pycache__"))
    (own / "config.toml").write_text('name = "file"\n')
    from_file = AssignedPlugin(plugin_id="test.good", path=str(own))
    over_it = AssignedPlugin(plugin_id="test.good", path=str(own), config={"name": "deployment"})
    wrong = AssignedPlugin(plugin_id="test.good", path=str(own), config={"nam": "x"})

    results = []
    for plugin in (from_file, over_it):
        async with open_runner(assignment(plugin)) as host:
            await host.wait_ready()
            results.append(await host.run("test.good", "greet"))
    async with open_runner(assignment(wrong)) as host:
        ready = await host.wait_ready()

    assert results == ["hello file", "hello deployment"]
    assert "did you mean 'name'?" in ready.failed_plugin_reasons["test.good"]


async def test_a_loop_that_is_blocked_at_import_can_still_be_named() -> None:
    """What the host knows of a runner that never answers again: which plugin it was importing."""
    async with open_runner(assignment("good", "sleeps_at_import", plugin_load_timeout=3600.0)) as host:
        await host.wait_until(lambda: host.loading[-1:] == [("test.sleeps_at_import", "import")])
        with trio.move_on_after(0.2) as limit:
            await host.ask("plugin.health")

    assert limit.cancelled_caught
    assert host.loading[-1] == ("test.sleeps_at_import", "import")
