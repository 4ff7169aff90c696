"""A receipt is found by its driver and the platform's id, for half an hour and in bounded memory."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.supervisor.platform.receipts import (
    TRACKER_TTL,
    DeliveryBatch,
    DeliveryStatus,
    OutboundTracker,
    Receipt,
    SendFailure,
    read_result,
)


def _sent(external_id: str = "e", *, driver_id: str = "d", message_id: str = "m") -> Receipt:
    return Receipt(sent=True, driver_id=driver_id, external_id=external_id, message_id=message_id)


def test_two_platforms_may_give_the_same_id() -> None:
    """Receipts are kept by driver: neither hides the other."""
    tracker = OutboundTracker()
    for driver, message in (("one", "m1"), ("two", "m2")):
        assert tracker.begin(message, driver, 0.0)
        tracker.finish(message, driver, _sent("7", driver_id=driver, message_id=message), 0.0)

    first, second = tracker.find("one", "7", 1.0), tracker.find("two", "7", 1.0)

    assert first is not None
    assert second is not None
    assert (first.message_id, second.message_id) == ("m1", "m2")


def test_a_gateway_cannot_fill_the_host_with_what_it_says_of_its_messages() -> None:
    """Ten thousand receipts are kept: without a flood that a gateway says beside them, and only by ids that are ids."""
    tracker = OutboundTracker()
    blank = Receipt(sent=False, driver_id="d", message_id="m")
    chatty = {"success": True, "message_id": "7", "metadata": {"log": "x" * 1_000_000}}

    tracker.finish("m", "d", read_result(chatty, blank), 0.0)
    tracker.finish("m", "d", read_result("x" * 1_000_000, blank), 0.0)

    found = tracker.find("d", "7", 1.0)
    assert found is not None
    assert (found.message_id, found.metadata) == ("m", {})
    assert len(tracker) == 1


def test_one_message_may_be_given_to_two_drivers_at_once() -> None:
    """A broadcast is no repeat; the same driver twice is."""
    tracker = OutboundTracker()

    assert tracker.begin("m", "one", 0.0)
    assert tracker.begin("m", "two", 0.0)
    assert not tracker.begin("m", "one", 0.0)
    tracker.finish("m", "one", None, 0.0)
    assert tracker.begin("m", "one", 0.0)


def test_a_receipt_is_known_for_half_an_hour() -> None:
    """And so is a message whose sender never came back."""
    tracker = OutboundTracker()
    tracker.begin("m", "d", 0.0)
    tracker.finish("m", "d", _sent(), 0.0)
    tracker.begin("stuck", "d", 0.0)

    assert TRACKER_TTL == 1800
    assert tracker.find("d", "e", TRACKER_TTL - 1) is not None
    assert not tracker.begin("stuck", "d", TRACKER_TTL - 1)
    assert tracker.find("d", "e", TRACKER_TTL) is None
    assert tracker.begin("stuck", "d", TRACKER_TTL)


def test_the_oldest_makes_room() -> None:
    """Whatever gateways say, memory is bounded."""
    tracker = OutboundTracker(limit=10)
    for number in range(1000):
        tracker.begin(f"stuck{number}", "d", 0.0)
        tracker.begin(str(number), "d", 0.0)
        tracker.finish(str(number), "d", _sent(str(number)), 0.0)

    assert len(tracker) == 10
    assert tracker.pending <= 10
    assert tracker.find("d", "999", 0.0) is not None


@pytest.mark.parametrize(
    ("receipts", "external", "has_success"),
    [
        pytest.param([_sent("")], "", True, id="no id"),
        pytest.param([Receipt(sent=False), _sent(""), _sent("x")], "x", True, id="the first that has one"),
        pytest.param([Receipt(sent=False, error="a"), Receipt(sent=False)], "", False, id="none was sent"),
    ],
)
def test_the_receipt_that_counts(receipts: list[Receipt], external: str, has_success: bool) -> None:
    """The first that was sent, with the platform's id where there is one."""
    batch = DeliveryBatch(message_id="m", receipts=tuple(receipts))

    assert (batch.receipt.external_id, batch.has_success) == (external, has_success)
    assert len(batch.sent_receipts) + len(batch.failed_receipts) == len(receipts)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, {"sent": True}),
        (" 7 ", {"sent": True, "external_id": "7"}),
        ({"message_id": 7, "metadata": {"a": 1}}, {"sent": True, "external_id": "7", "metadata": {"a": 1}}),
        ({"success": False, "metadata": 5}, {"failure": SendFailure.REFUSED, "error": "it failed"}),
        ({"success": False, "error": "no"}, {"failure": SendFailure.REFUSED, "error": "no"}),
    ],
)
def test_what_a_gateway_may_answer(result: Any, expected: dict[str, Any]) -> None:
    """An id, a map with one, a map that says it failed, or nothing."""
    assert read_result(result, Receipt(sent=False)) == Receipt(**{"sent": False, **expected})


def test_a_message_that_a_hook_stopped_was_dropped() -> None:
    """On purpose; everything else that was not sent has failed."""
    assert Receipt(sent=False, failure=SendFailure.STOPPED).status is DeliveryStatus.DROPPED
    assert Receipt(sent=False, failure=SendFailure.OFFLINE).status is DeliveryStatus.FAILED
    assert _sent().status is DeliveryStatus.SENT
