"""Tables of records for a plugin under test: what the host keeps in a database lies in lists here."""

from __future__ import annotations

import json
from typing import Any

import attrs

Record = dict[str, Any]


@attrs.define
class FakeRecords:
    """Answers ``database.query`` and its like; arguments have the names of the wire."""

    tables: dict[str, list[Record]] = attrs.Factory(dict)
    """By name; each record with its id."""
    _last: dict[str, int] = attrs.Factory(dict)

    def query(self, model_name: str, query_type: str = "get", data: Record | None = None, **args: Any) -> Any:
        if query_type == "create":
            return self._add(model_name, data or {})
        if query_type == "update":
            found = self._find(model_name, args.get("filters"))
            for record in found:
                record.update(_kept(data or {}))
            return len(found)
        ask = {"get": self.get, "delete": self.delete, "count": self.count}.get(query_type)
        if ask is None:
            return _mistake(f"query_type: there is no {query_type!r}")
        return ask(model_name, **args)

    def save(self, model_name: str, data: Record, key_field: str = "id", key_value: Any = None) -> Record:
        if key_value is None:
            return self._add(model_name, data)
        found = self._find(model_name, {key_field: key_value})
        if not found:
            return self._add(model_name, {**data, key_field: key_value})
        found[0].update(_kept(data))
        return found[0]

    def get(
        self,
        model_name: str,
        filters: Record | None = None,
        order_by: str | list[str] | None = None,
        limit: int | None = None,
        single_result: bool = False,
    ) -> Any:
        found = self._find(model_name, filters)
        for name in reversed([order_by] if isinstance(order_by, str) else order_by or []):
            found.sort(key=lambda record: _place(record.get(name.lstrip("-"))), reverse=name.startswith("-"))
        if single_result:
            return found[0] if found else None
        return found[:limit]

    def delete(self, model_name: str, filters: Record | None = None) -> Any:
        if not filters:
            return _mistake("filters: must name at least one field: nothing is deleted without a filter")
        found = self._find(model_name, filters)
        table = self.tables.get(model_name, [])
        table[:] = [record for record in table if record not in found]
        return len(found)

    def count(self, model_name: str, filters: Record | None = None) -> int:
        return len(self._find(model_name, filters))

    def _add(self, name: str, data: Record) -> Record:
        number = data.get("id") or self._last.get(name, 0) + 1
        self._last[name] = max(number, self._last.get(name, 0))
        record = {"id": number, **_kept(data)}
        self.tables.setdefault(name, []).append(record)
        return record

    def _find(self, name: str, filters: Record | None) -> list[Record]:
        wanted = (filters or {}).items()
        return [
            record
            for record in self.tables.get(name, [])
            if all(_place(record.get(field)) == _place(value) for field, value in wanted)
        ]


def _kept(data: Record) -> Record:
    """As it would come back from the database, which keeps JSON."""
    kept: Record = json.loads(json.dumps(data))
    return kept


def _place(value: Any) -> tuple[int, Any]:
    """Where a value stands in an order: nothing, then numbers, then texts."""
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, (bool, int, float)) else (2, str(value))


def _mistake(text: str) -> dict[str, Any]:
    return {"success": False, "error": text}
