"""Each driver that is asked gives a receipt, and what was not sent says why in words and for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from rookery.protocol import ErrorCode, GatewayState, MessageMap, RemoteError
from rookery.supervisor.component import Gateway
from rookery.supervisor.platform.drivers import Drivers
from rookery.supervisor.platform.outbound import Outbound
from rookery.supervisor.platform.receipts import SendFailure
from rookery.supervisor.platform.routes import DriverKind, Route, RouteTable, route_key
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, chat, open_stage, said


class Exits:
    """An outbound side with as many gateways as are added."""

    def __init__(self, stage: Stage, *routes: Route) -> None:
        self.stage = stage
        self.sent: list[MessageMap] = []
        self.routes = RouteTable(routes)
        self.drivers = Drivers(self.routes)
        self.outbound = Outbound(
            stage.registry,
            stage.dispatcher,
            stage.hooks,
            self.routes,
            stage.counters,
            on_sent=self.sent.append,
        )

    def gateway(self, name: str, answer: Any, *, plugin_id: str = "p.g", ready: bool = True) -> Gateway:
        gateway = self.stage.offer("gateway", plugin_id, name, answer, route_type="duplex", platform="test")
        assert isinstance(gateway, Gateway)
        self.drivers.update(gateway, GatewayState(gateway_name=name, ready=ready))
        return gateway


@asynccontextmanager
async def open_exits(*routes: Route) -> AsyncIterator[Exits]:
    async with open_stage("one") as stage:
        yield Exits(stage, *routes)


async def test_a_broadcast_has_a_receipt_for_each_gateway(autojump_clock: MockClock) -> None:
    """One that fails keeps no other from sending; the message is kept once."""
    async with open_exits(Route(key=route_key("test"), broadcast=True)) as exits:
        exits.gateway("a", said({"success": False, "error": "banned"}))
        exits.gateway("b", said("7"))
        exits.gateway("c", said("8"))

        batch = await exits.outbound.deliver(chat())

        assert [(each.driver_id, each.sent, each.external_id) for each in batch.receipts] == [
            ("gateway:p.g:a", False, ""),
            ("gateway:p.g:b", True, "7"),
            ("gateway:p.g:c", True, "8"),
        ]
        assert batch.receipts[0].failure is SendFailure.REFUSED
        assert (batch.has_success, batch.receipt.external_id, batch.route) == (True, "7", route_key("test"))
        assert [message["message_id"] for message in exits.sent] == ["7"]
        assert exits.stage.counters.replies == 1


async def test_two_gateways_that_match_send_once(autojump_clock: MockClock) -> None:
    """Nobody has asked for a broadcast."""
    async with open_exits() as exits:
        exits.gateway("a", said("1"))
        exits.gateway("b", said("2"))

        batch = await exits.outbound.deliver(chat())

        assert [each.driver_id for each in batch.receipts] == ["gateway:p.g:a"]
        assert exits.stage.asked == ["p.g.a"]


async def test_a_receipt_is_found_by_the_platforms_id(autojump_clock: MockClock) -> None:
    """With the host's own id of the message, and whatever the gateway said beside it."""
    async with open_exits() as exits:
        exits.gateway("a", said({"message_id": 7, "metadata": {"seen": True}}))

        await exits.outbound.send(chat(number=5))

        found = exits.outbound.tracker.find("gateway:p.g:a", "7", trio.current_time())
        assert found is not None
        assert (found.message_id, found.metadata, found.driver_kind) == (
            "m5",
            {"seen": True},
            DriverKind.PLUGIN,
        )
        assert exits.outbound.tracker.pending == 0


async def test_the_same_message_is_not_sent_twice_at_once(autojump_clock: MockClock) -> None:
    """Afterwards it may be sent again; a cancelled sending leaves nothing behind."""
    async with open_exits() as exits, trio.open_nursery() as nursery:
        exits.gateway("a", Late(5.0, said("7")))
        with trio.move_on_after(1.0):
            await exits.outbound.send(chat())

        nursery.start_soon(exits.outbound.send, chat())
        await trio.sleep(1.0)
        second = await exits.outbound.send(chat())

        assert (second.sent, second.failure) == (False, SendFailure.PENDING)
        await exits.stage.settle()
        await trio.testing.wait_all_tasks_blocked()
        assert exits.outbound.tracker.pending == 0


@pytest.mark.parametrize(
    ("answer", "failure", "maybe_sent"),
    [
        pytest.param({"success": False, "result": "OSError"}, SendFailure.FAILED, True, id="it raised"),
        pytest.param(None, SendFailure.FAILED, True, id="no answer in time"),
        pytest.param(
            RemoteError(ErrorCode.E_BACK_PRESSURE, "no"), SendFailure.FAILED, False, id="it took nothing"
        ),
        pytest.param(said({"success": False}), SendFailure.REFUSED, False, id="it says no"),
    ],
)
async def test_a_failure_says_whether_the_message_may_have_gone_out(
    autojump_clock: MockClock, answer: Any, failure: SendFailure, maybe_sent: bool
) -> None:
    """Only then a repetition is a risk."""
    async with open_exits() as exits:
        exits.gateway("a", answer)

        receipt = await exits.outbound.send(chat(), timeout=1.0)

        assert (receipt.failure, receipt.maybe_sent) == (failure, maybe_sent)
        assert receipt.error


# --- offline -------------------------------------------------------------------------------------------------------------


async def test_what_is_sent_while_a_gateway_is_not_connected_fails_as_offline(
    autojump_clock: MockClock,
) -> None:
    """Not as a message that nobody carries: it may be back."""
    async with open_exits() as exits:
        gateway = exits.gateway("a", said("7"))
        exits.drivers.update(gateway, GatewayState(gateway_name="a", ready=False))

        receipt = await exits.outbound.send(chat())

        assert (receipt.failure, receipt.driver_id) == (SendFailure.OFFLINE, "gateway:p.g:a")
        assert receipt.error == "gateway 'a' of p.g is offline"
        exits.drivers.update(gateway, GatewayState(gateway_name="a", ready=True))
        assert (await exits.outbound.send(chat())).sent


async def test_a_plugin_that_was_taken_offline_is_not_used_until_it_is_back(
    autojump_clock: MockClock,
) -> None:
    """Also when it says that it is ready meanwhile, or registers anew; other plugins' gateways go on."""
    async with open_exits() as exits:
        gateway = exits.gateway("a", said("7"))
        exits.drivers.take_offline("p.g", "holidays")
        exits.drivers.update(gateway, GatewayState(gateway_name="a", ready=True))
        exits.drivers.retain("p.g", ())

        while_offline = await exits.outbound.send(chat())
        exits.gateway("other", said("8"), plugin_id="p.h")
        by_other = await exits.outbound.send(chat())
        exits.drivers.bring_online("p.g")
        exits.drivers.update(gateway, GatewayState(gateway_name="a", ready=True))

        assert while_offline.failure is SendFailure.OFFLINE
        assert by_other.driver_id == "gateway:p.h:other"
        assert {driver.plugin_id for driver in exits.routes.drivers} == {"p.g", "p.h"}


async def test_a_platform_that_nobody_carries_is_no_route(autojump_clock: MockClock) -> None:
    """Trying again would not help."""
    async with open_exits() as exits:
        receipt = await exits.outbound.send(chat())

        assert (receipt.failure, receipt.driver_kind) == (SendFailure.NO_ROUTE, None)


# --- functions of the host -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "sent", "failure"),
    [
        pytest.param(True, True, None, id="true"),
        pytest.param(False, False, SendFailure.REFUSED, id="false"),
        pytest.param("7", True, None, id="an id"),
        pytest.param(ValueError("no"), False, SendFailure.FAILED, id="it raises"),
    ],
)
async def test_a_function_of_the_host_sends_what_no_gateway_carries(
    autojump_clock: MockClock, result: Any, sent: bool, failure: SendFailure | None
) -> None:
    """Its failure is the receipt of one message, not the end of the host."""
    async with open_exits() as exits:
        given: list[MessageMap] = []

        async def send(message: MessageMap) -> Any:
            given.append(message)
            if isinstance(result, Exception):
                raise result
            return result

        exits.routes.add_legacy("test", send)

        receipt = await exits.outbound.send(chat("hi"))

        assert (receipt.sent, receipt.failure, receipt.driver_id) == (sent, failure, "legacy.send.test")
        assert given == [chat("hi")]
        assert len(exits.sent) == sent
