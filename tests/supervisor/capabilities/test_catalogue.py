"""Every capability of the protocol is offered, or refused with what the operator can do about it."""

from __future__ import annotations

import pytest

from rookery.protocol import ErrorCode
from rookery.supervisor.capabilities import CapabilityRequest, CapabilityTable
from rookery.supervisor.capabilities.catalogue import LATER, NAMES, OWN, absence
from tests.doubles.capability_calls import Caller

NEVER = ("emoji.", "frequency.", "knowledge.", "maisaka.", "market.", "webui.")


def test_the_protocol_names_seventy_three_capabilities() -> None:
    """Those of both versions; `api.replace_dynamic` is the one that needs no grant of its own."""
    assert len(NAMES) == 73
    assert {"send.text", "statistics.local.token_distribution", "maisaka.context.append"} <= NAMES


@pytest.mark.parametrize("name", sorted(each for each in NAMES | LATER if each.startswith(NEVER)))
async def test_what_belongs_to_one_bots_core_is_refused_with_a_reason(caller: Caller, name: str) -> None:
    """Named, with why it means nothing here and how an application can offer it."""
    error = await caller.refusal(name)

    assert error.code is ErrorCode.E_METHOD_NOT_ALLOWED
    assert name in error.message
    assert "one bot" in error.message
    assert f"parts.capabilities.register('{name}'" in error.message


async def test_an_application_offers_what_the_host_does_not(caller: Caller, table: CapabilityTable) -> None:
    """Under the protocol's name, with the same grants as every other."""

    def get_count(request: CapabilityRequest) -> None:
        request.answer({"success": True, "count": 7})

    table.register("emoji.get_count", get_count)

    assert await caller.ask("emoji.get_count") == {"success": True, "count": 7}


async def test_an_application_replaces_what_the_host_offers(caller: Caller, table: CapabilityTable) -> None:
    """The last one registered counts."""

    async def get(request: CapabilityRequest) -> dict[str, object]:
        return {"success": True, "value": f"mine for {request.plugin_id}"}

    table.register("config.get", get)

    assert (await caller.ask("config.get"))["value"] == "mine for a.b"


async def test_a_name_that_is_nobodys_is_refused_with_what_was_meant(caller: Caller) -> None:
    """A typing mistake of an author."""
    error = await caller.refusal("send.txt")

    assert error.code is ErrorCode.E_METHOD_NOT_ALLOWED
    assert "did you mean 'send.text'?" in error.message


def test_a_refusal_quotes_no_megabytes() -> None:
    """The name is the caller's."""
    assert len(absence("x" * 100_000, ())) < 500


async def test_the_catalogue_lists_what_is_offered(table: CapabilityTable) -> None:
    """A name that is in no list would be warned of in every grant."""
    assert set(table.names) <= NAMES | OWN
    assert OWN - {"http.fetch"} <= set(table.names)
