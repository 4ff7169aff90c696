"""``api.*``: one plugin uses what another offers, and says what it offers itself while it runs.

What goes wrong is said in the result, ``{success: false, error}``, with ``kind`` beside it, ``code`` (as of the wire's
errors) and ``maybe_executed``, which is true where a repetition might do the work twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload, ComponentDeclaration, ComponentType, RemoteError

from ..api_calls import CallNotAllowed, Origin
from ..api_table import ApiRefused
from ..component import Api
from ..declaration import make_component
from ..fate import DispatchFailed
from . import arguments

if TYPE_CHECKING:
    from ..api_calls import ApiCalls
    from ..registry import Registration, Registry
    from .request import CapabilityRequest
    from .table import CapabilityTable


def register_api(table: CapabilityTable, calls: ApiCalls, registry: Registry) -> None:
    """Add ``api.call``, ``api.get``, ``api.list`` and ``api.replace_dynamic``."""

    async def call(request: CapabilityRequest) -> dict[str, Any]:
        name = arguments.text(request.args, "api_name")
        version = arguments.optional_text(request.args, "version")
        args = arguments.mapping(request.args, "args", default={})
        origin = Origin(plugin_id=request.plugin_id, link=request.link, within=request.within)
        try:
            result = await calls.call(origin, name, version, args, deadline=request.deadline)
        except CallNotAllowed as refused:
            raise RemoteError(
                refused.code, str(refused)
            ) from None  # the operator is told, as of every denial
        except ApiRefused as refused:
            return _failed(str(refused), refused.kind, refused.code.value)
        except DispatchFailed as failure:
            kind, code = failure.fate.value, failure.fate.code.value
            return _failed(str(failure), kind, code, maybe_executed=failure.maybe_executed)
        return {"success": True, "result": result}

    def get(request: CapabilityRequest) -> None:
        name = arguments.text(request.args, "api_name")
        version = arguments.optional_text(request.args, "version")
        try:
            api: dict[str, Any] | None = calls.table.find(name, version, request.plugin_id).shown()
        except ApiRefused:
            api = None
        request.answer({"success": True, "api": api})

    def list_apis(request: CapabilityRequest) -> None:
        plugin_id = arguments.optional_text(request.args, "plugin_id")
        name = arguments.optional_text(request.args, "api_name", "name")
        version = arguments.optional_text(request.args, "version")
        found = [
            each
            for each in calls.table.visible_to(request.plugin_id)
            if each.enabled
            and plugin_id in ("", each.plugin_id)
            and name in ("", each.api.name, each.api.full_name)
            and version in ("", each.api.version)
        ]
        found.sort(key=lambda each: (each.plugin_id, each.api.name, each.api.version))
        request.answer({"success": True, "apis": [each.shown() for each in found]})

    def replace_dynamic(request: CapabilityRequest) -> None:
        plugin_id = request.plugin_id
        registration = registry.loading(plugin_id) or registry.registration(plugin_id)
        if registration is None:
            raise BadPayload("of a plugin that has not registered yet", "apis")
        apis = _read_dynamic(request.args, registration)
        reason = arguments.optional_text(request.args, "offline_reason")
        count, offlined = calls.table.replace_dynamic(plugin_id, apis, reason, registration)
        request.answer({"success": True, "count": count, "offlined": offlined})

    table.register("api.call", call, says_mistakes=True)
    table.register("api.get", get, says_mistakes=True)
    table.register("api.list", list_apis, says_mistakes=True)
    table.register("api.replace_dynamic", replace_dynamic, says_mistakes=True)


def _failed(error: str, kind: str, code: str, *, maybe_executed: bool = False) -> dict[str, Any]:
    return {"success": False, "error": error, "kind": kind, "code": code, "maybe_executed": maybe_executed}


def _read_dynamic(args: dict[str, Any], registration: Registration) -> list[Api]:
    items = args.get("apis")
    if type(items) is not list:
        raise BadPayload(f"must be a list of maps, got {type(items).__name__}", "apis")
    known = registration.components
    is_trusted = all(each.is_trusted for each in known) and bool(known)
    return [_read_api(item, f"apis[{index}]", registration, is_trusted) for index, item in enumerate(items)]


def _read_api(item: object, path: str, registration: Registration, is_trusted: bool) -> Api:
    if type(item) is not dict:
        raise BadPayload(f"must be a map, got {type(item).__name__}", path)
    kind = item.get("type") or item.get("component_type") or ComponentType.API.value
    if type(kind) is not str or kind.strip().upper() != ComponentType.API:
        raise BadPayload("must be API", f"{path}.type")
    name, metadata = item.get("name"), item.get("metadata")
    if type(name) is not str or not name.strip():
        raise BadPayload("must be a text that is not empty", f"{path}.name")
    if metadata is not None and type(metadata) is not dict:
        raise BadPayload(f"must be a map, got {type(metadata).__name__}", f"{path}.metadata")
    declared = ComponentDeclaration(
        name=name.strip(),
        component_type=ComponentType.API.value,
        metadata={**(metadata or {}), "dynamic": True},
    )
    made = make_component(
        declared,
        plugin_id=registration.plugin_id,
        shard=registration.shard,
        is_trusted=is_trusted,
        path=path,
    )
    assert isinstance(made, Api), "its type says so"
    return made
