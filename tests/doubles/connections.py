"""A runner's requests to the host's traffic, over a real pair of sessions without a socket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import trio

from rookery.protocol import UPDATE_GATEWAY_STATE, RemoteError, Request, RequestSettled, RookeryError, Session
from rookery.supervisor.approvals import Approvals
from rookery.supervisor.counters import Counters
from rookery.supervisor.entitlement import Entitlements
from rookery.supervisor.exit_report import ExitKind, ExitReport
from rookery.supervisor.granting import Granting
from rookery.supervisor.grants import Grants
from rookery.supervisor.observers import Observers
from rookery.supervisor.platform.chat_policy import ChatPolicy
from rookery.supervisor.platform.drivers import Drivers
from rookery.supervisor.platform.entrance import Entrance
from rookery.supervisor.platform.inbound import Inbound
from rookery.supervisor.platform.inbox import Answer
from rookery.supervisor.platform.routes import RouteTable
from rookery.supervisor.platform.sessions import Sessions
from rookery.supervisor.provider_table import ProviderTable
from rookery.supervisor.registry import Registry
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.traffic import Traffic
from tests.doubles.sessions import asked, open_sessions, pass_on
from tests.doubles.stage import Stage


@attrs.define
class FakeState:
    value: ShardState = ShardState.LOADING


@attrs.define
class FakeSettings:
    trust: str = "trusted"
    capabilities: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()


@attrs.define
class WireEnd:
    """As much of a link as a request and the dispatcher's gate need."""

    session: Session
    is_closed: bool = False

    def wake_writer(self) -> None:
        pass


@attrs.define(eq=False)
class FakeShard:
    """A shard whose runner is on the other end of a pair of sessions."""

    name: str
    plugins: tuple[str, ...]
    settings: FakeSettings = attrs.Factory(FakeSettings)
    state: FakeState = attrs.Factory(FakeState)
    incarnation: int = 1
    features: frozenset[str] = frozenset()
    link: Any = None
    accusations: list[str] = attrs.Factory(list)

    def accuse(self, reason: str) -> None:
        self.accusations.append(reason)


@attrs.define
class FakeInbox:
    """Keeps what is offered; the test answers."""

    offered: list[tuple[Inbound, Answer]] = attrs.Factory(list)

    def offer(self, inbound: Inbound, answer: Answer) -> None:
        self.offered.append((inbound, answer))


@attrs.define
class FakeTable:
    """Notes which capability calls came through."""

    handled: list[tuple[str, str]] = attrs.Factory(list)

    def handle(self, request: Request, shard_name: str) -> None:
        self.handled.append((request.plugin_id, shard_name))
        request.answer({"success": True, "result": None})


class Border:
    """A traffic with everything it needs, and runners that ask.

    Args:
        declared: Of the manifests on disk.
        allowed: The operator's limits, by plugin.
        levels: Those by trust level.
        approvals: What plugins that are not trusted may ask for.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        declared: dict[str, tuple[str, ...]] | None = None,
        allowed: dict[str, tuple[str, ...]] | None = None,
        levels: dict[str, tuple[str, ...]] | None = None,
        approvals: Approvals | None = None,
    ) -> None:
        self.registry: Registry = stage.registry
        self.counters: Counters = stage.counters
        self.grants = Grants()
        self.routes = RouteTable()
        self.drivers = Drivers(self.routes)
        self.sessions = Sessions()
        self.inbox = FakeInbox()
        self.table = FakeTable()
        self.records: list[object] = []
        self.policy: ChatPolicy | None = None
        observers = Observers()
        observers.add(self.records.append)
        self.granting = Granting(
            self.grants,
            observers,
            entitlements=Entitlements(plugins=allowed or {}, levels=levels or {}),
            declared=declared or {},
            approvals=approvals,
        )
        self.entrance = Entrance(
            registry=stage.registry,
            drivers=self.drivers,
            routes=self.routes,
            sessions=self.sessions,
            inbox=self.inbox,  # type: ignore[arg-type]
            observers=observers,
            counters=stage.counters,
            policy=lambda: self.policy or ChatPolicy(),
            refuse_platform=self.granting.refuse_platform,
        )
        self.providers = ProviderTable(stage.registry)
        self.traffic = Traffic(
            registry=stage.registry,
            dispatcher=stage.dispatcher,
            granting=self.granting,
            capabilities=self.table,  # type: ignore[arg-type]
            providers=self.providers,
            drivers=self.drivers,
            entrance=self.entrance,
            observers=observers,
            counters=stage.counters,
        )

    def heard(self, kind: type) -> list[Any]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]


class Runner:
    """The runner of a shard: ``ask`` sends a request and returns what came back."""

    def __init__(
        self, border: Border, *plugins: str, shard: str = "one", trust: str = "trusted", ready: bool = False
    ) -> None:
        self._traffic = border.traffic
        self._host, self._runner = open_sessions()
        self._end = WireEnd(self._host)
        self._outcomes: dict[int, Any] = {}
        state = FakeState(ShardState.READY if ready else ShardState.LOADING)
        self.shard = FakeShard(shard, plugins, FakeSettings(trust), state, link=self._end)

    def send(self, method: str, payload: dict[str, Any], *, plugin_id: str) -> int:
        """Send a request; the traffic has handled it when this returns."""
        request_id = self._runner.request(method, payload, plugin_id=plugin_id)
        for received in asked(pass_on(self._runner, self._host)):
            self._traffic.handle_request(
                self.shard,  # type: ignore[arg-type]
                Request(self._end, received, trio.current_time()),  # type: ignore[arg-type]
            )
        return request_id

    def outcome(self, request_id: int) -> Any:
        """The answer's payload, or the error; ``None`` while there is none."""
        for item in pass_on(self._host, self._runner):
            if isinstance(item, RequestSettled):
                assert item.pending.request_id not in self._outcomes, "answered twice"
                self._outcomes[item.pending.request_id] = item.outcome
        return self._outcomes.get(request_id)

    def ask(self, method: str, payload: dict[str, Any], *, plugin_id: str) -> dict[str, Any]:
        """Send a request that is answered well at once."""
        outcome = self.outcome(self.send(method, payload, plugin_id=plugin_id))
        assert isinstance(outcome, dict), outcome
        return outcome

    def refusal(self, method: str, payload: dict[str, Any], *, plugin_id: str) -> RemoteError:
        """Send a request that is refused at once."""
        outcome = self.outcome(self.send(method, payload, plugin_id=plugin_id))
        assert isinstance(outcome, RookeryError), outcome
        assert isinstance(outcome, RemoteError), outcome
        return outcome

    def report_gateway(self, **fields: Any) -> dict[str, Any]:
        """The gateway ``chat`` of ``p.a`` says how it is: ready, and what else is given."""
        payload = {"gateway_name": "chat", "ready": True, **fields}
        return self.ask(UPDATE_GATEWAY_STATE, payload, plugin_id="p.a")


def declaration(name: str, kind: str, **metadata: Any) -> dict[str, Any]:
    """One component as it stands in a registration."""
    return {"name": name, "component_type": kind, "metadata": metadata}


def registration(plugin_id: str, components: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The payload of ``plugin.register_components``."""
    return {"plugin_id": plugin_id, "components": list(components)}


GATEWAY = declaration("chat", "MESSAGE_GATEWAY", route_type="duplex", platform="test")
TOOL = declaration("add", "TOOL")


def report_of_end(*, planned: bool = False) -> ExitReport:
    """What a shard says of a runner that has ended."""
    return ExitReport(
        shard="one",
        incarnation=1,
        pid=1,
        plugins=("p.a",),
        state=ShardState.READY,
        kind=ExitKind.STOPPED if planned else ExitKind.SIGNAL,
        reason="",
        planned=planned,
        started_at=0.0,
        ended_at=1.0,
    )
