"""A plugin under test has tables of records that behave as the host's."""

from __future__ import annotations

import pytest

from rookery.protocol import AssignedPlugin
from rookery.runner import CapabilityFailed, Context
from tests.runner.makers import fake_host


async def test_records_are_kept_found_changed_and_removed() -> None:
    """By every method of ``ctx.records``; what comes back is no part of what was given."""
    async with fake_host() as host:
        records = Context("test.a", host, AssignedPlugin(plugin_id="test.a")).records

        tags = ["x"]
        first = await records.create("Score", {"user": "ann", "points": 3, "tags": tags})
        tags.append("y")
        saved = [await records.save("Score", "user", user, {"points": 5}) for user in ("ann", "bob")]
        await records.create("Score", {"user": "eve"})
        found = await records.find("Score", {"points": 5}, order_by=["-user"])
        updated = await records.update("Score", {"user": "eve"}, {"points": None})
        one = await records.find_one("Score", {"points": None})
        removed = await records.delete("Score", {"user": "bob"})

        assert first == {"id": 1, "user": "ann", "points": 3, "tags": ["x"]}
        assert [each["id"] for each in saved] == [1, 2]
        assert [each["user"] for each in found] == ["bob", "ann"]
        assert (updated, one, removed) == (1, {"id": 3, "user": "eve", "points": None}, 1)
        assert await records.count("Score") == 2
        assert await records.find("Nothing") == []
        assert (await records.create("Score", {}))["id"] == 4
        assert host.records.tables["Score"][0]["tags"] == ["x"]


async def test_nothing_is_deleted_without_a_filter() -> None:
    """A test finds the mistake before the host does."""
    async with fake_host() as host:
        records = Context("test.a", host, AssignedPlugin(plugin_id="test.a")).records
        await records.create("Score", {"user": "ann"})

        with pytest.raises(CapabilityFailed, match="nothing is deleted without a filter"):
            await records.delete("Score", {})

        assert await records.count("Score") == 1
