"""Are providers of language models registered, refused and removed with the rest of their plugin?"""

from __future__ import annotations

from trio.testing import MockClock

from rookery.protocol import PLUGIN_REGISTER_COMPONENTS, PLUGIN_UNREGISTER, ErrorCode
from tests.doubles.connections import TOOL, Border, Runner, declaration, registration
from tests.doubles.stage import open_stage


async def test_what_goes_with_a_plugin_is_counted(autojump_clock: MockClock) -> None:
    """Components, APIs and providers apart, as protocol 1.0.0 has it."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a", ready=True)
        offered = registration("p.a", [TOOL, declaration("lookup", "API")])
        offered["llm_providers"] = [{"client_type": "x"}]
        runner.ask(PLUGIN_REGISTER_COMPONENTS, offered, plugin_id="p.a")

        answer = runner.ask(PLUGIN_UNREGISTER, {"plugin_id": "p.a"}, plugin_id="p.a")

        assert (answer["removed_components"], answer["removed_apis"]) == (1, 1)
        assert (answer["removed_llm_providers"], answer["removed_registration"]) == (1, True)
        assert border.providers.find("x") is None


async def test_a_claim_of_anothers_models_refuses_the_whole_registration(
    autojump_clock: MockClock,
) -> None:
    """Components too, with the details of protocol 1.0.0; the old registration stays."""
    async with open_stage("one", "two") as stage:
        border = Border(stage)
        owner = Runner(border, "p.b", shard="two", ready=True)
        runner = Runner(border, "p.a", ready=True)
        claimed = registration("p.b", [])
        claimed["llm_providers"] = [{"client_type": "x"}]
        owner.ask(PLUGIN_REGISTER_COMPONENTS, claimed, plugin_id="p.b")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [TOOL]), plugin_id="p.a")
        stealing = registration("p.a", [declaration("new", "TOOL")])
        stealing["llm_providers"] = [{"client_type": "y"}, {"client_type": "x"}]

        refused = runner.refusal(PLUGIN_REGISTER_COMPONENTS, stealing, plugin_id="p.a")

        assert refused.code is ErrorCode.E_BAD_PAYLOAD
        assert (refused.details["plugin_id"], refused.details["llm_provider_count"]) == ("p.a", 2)
        assert refused.details["path"] == "llm_providers[1].client_type"
        assert border.registry.component("p.a", "add") is not None
        assert border.registry.component("p.a", "new") is None
        assert (owned := border.providers.find("x")) is not None
        assert owned.plugin_id == "p.b"
        assert border.providers.find("y") is None
