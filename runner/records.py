"""``ctx.records``: tables of records that are found by what is in them; capabilities ``database.*``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rookery.protocol import shown

from .capabilities import Family, Row
from .errors import CapabilityFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_T = TypeVar("_T")


class Records(Family):
    """Tables of records with an ``id`` each, which outlive the runner.

    A table belongs to the plugin and is there as soon as it is used. Names of tables and fields are letters, digits and ``_``.
    Use ``ctx.db`` where every row has a key of its own: it is faster.
    """

    async def create(self, table: str, record: Row) -> Row:
        """Keep a record; returns it with its id."""
        args = {"query_type": "create", "data": record}
        return await self._get(dict, "database.query", model_name=table, **args)

    async def save(self, table: str, key_field: str, key: Any, record: Row) -> Row:
        """Change the first record that has this key in this field, or keep one that has it; returns it."""
        args = {"key_field": key_field, "key_value": key, "data": record}
        return await self._get(dict, "database.save", model_name=table, **args)

    async def find(
        self,
        table: str,
        filters: Mapping[str, Any] | None = None,
        *,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Row]:
        """The records that have all these values.

        Args:
            order_by: Fields, the first counts most; ``-`` in front turns the order round. Without any, by id.
            limit: How many at most; ``None`` takes the host's own limit.
        """
        args: dict[str, Any] = {"filters": dict(filters or {}), "order_by": list(order_by)}
        if limit is not None:
            args["limit"] = limit
        return await self._get(list, "database.get", model_name=table, **args)

    async def find_one(self, table: str, filters: Mapping[str, Any]) -> Row | None:
        """The first of them; ``None`` when there is none."""
        args = {"filters": dict(filters), "single_result": True}
        return await self._get(dict, "database.get", model_name=table, **args) or None

    async def update(self, table: str, filters: Mapping[str, Any], fields: Row) -> int:
        """Write these fields over those of every record that has all these values; how many there were."""
        args = {"query_type": "update", "filters": dict(filters), "data": fields}
        return await self._get(int, "database.query", model_name=table, **args)

    async def delete(self, table: str, filters: Mapping[str, Any]) -> int:
        """Remove every record that has all these values, of which there has to be one; how many there were."""
        return await self._get(int, "database.delete", model_name=table, filters=dict(filters))

    async def count(self, table: str, filters: Mapping[str, Any] | None = None) -> int:
        """How many records have all these values."""
        return await self._get(int, "database.count", model_name=table, filters=dict(filters or {}))

    async def _get(self, kind: type[_T], capability: str, /, **args: Any) -> _T:
        """The answer itself: a record may have a field of any name, so only what has nothing else is a failure."""
        answer = await self._call(capability, **args)
        if isinstance(answer, dict) and answer.keys() == {"success", "error"} and answer["success"] is False:
            raise CapabilityFailed(capability, str(answer["error"]))
        if answer is None:
            return kind()
        if not isinstance(answer, kind):
            raise CapabilityFailed(
                capability, f"the host's answer should be a {kind.__name__}, it is {shown(answer)}"
            )
        return answer
