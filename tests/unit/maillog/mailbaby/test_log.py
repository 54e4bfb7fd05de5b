"""Deliveries as rows of the log: numbers that order them, and what counts as tried."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mailvane.maillog.mailbaby.log import Rows, row_number, was_tried
from mailvane.maillog.model import DeliveryStatus, MailKind, ReasonFamily
from mailvane.maillog.queries import Delivery
from tests.wire.world import ZONE

LATEST = int(datetime(2201, 1, 1, tzinfo=UTC).timestamp() * 1000)
QUEUED = Delivery(
    relay=7, accepted_at=1_634_215_809_123, number=1, recipient="", original_recipient="", recipient_number=0,
    kind=MailKind.MAIL, status=DeliveryStatus.QUEUED, at=0, attempts=0, sender="", subject="", message_id="",
    header_from="", reply_to="", in_reply_to="", origin="", client_name="", login="", protocol="", interface="", size=0,
    queue_id="", host="", transport="", mx_host="", mx_ip="", code=0, enhanced_code="", reply="", delay=0, tls="",
    family=ReasonFamily.NONE, hard=False, complained_at=0, opened_at=0, clicked_at=0, replied_at=0, unsubscribed_at=0,
)  # fmt: skip


def test_created_is_local_and_queued_is_utc() -> None:
    entry = Rows(ZONE).entry(QUEUED)
    assert (entry.created, entry.time, entry.queued) == ("2021-10-14 08:50:09", 1634215809, "2021-10-14T12:50:09.123Z")


def test_what_is_not_known_is_null_except_where_the_api_wants_a_string() -> None:
    entry = structs.asdict(Rows(ZONE).entry(QUEUED))
    empty = {name for name, value in entry.items() if value == ""}
    assert empty == {"from_", "to", "origin", "interface"}
    assert {name for name, value in entry.items() if value is None} == {
        "subject", "messageId", "sendingZone", "bodySize", "seq", "delivered", "response", "code", "recipient",
        "domain", "locked", "lockTime", "assigned", "mxHostname",
    }  # fmt: skip


def test_the_envelopes_recipient_is_told_apart_from_where_an_alias_led() -> None:
    delivery = structs.replace(QUEUED, recipient="ann@b.example", original_recipient="info@a.example")
    entry = Rows(ZONE).entry(delivery)
    assert (entry.to, entry.recipient, entry.domain) == ("info@a.example", "ann@b.example", "b.example")


@pytest.mark.parametrize(
    ("status", "attempts", "delivered"),
    [
        (DeliveryStatus.QUEUED, 0, None),
        (DeliveryStatus.HELD, 0, None),
        (DeliveryStatus.HELD, 1, 0),
        (DeliveryStatus.DEFERRED, 1, 0),
        (DeliveryStatus.BOUNCED, 1, 0),
        (DeliveryStatus.EXPIRED, 3, 0),
        (DeliveryStatus.DISCARDED, 0, 0),
        (DeliveryStatus.DELIVERED, 2, 1),
    ],
)
def test_delivered_is_null_until_something_was_tried(
    status: DeliveryStatus, attempts: int, delivered: int | None
) -> None:
    delivery = structs.replace(QUEUED, status=status, attempts=attempts, at=1_634_215_818_533)
    entry = Rows(ZONE).entry(delivery)
    assert entry.delivered == delivered
    assert (entry.lockTime, entry.locked) == (("1634215818533", 1) if was_tried(delivery) else (None, None))


MAILS = st.tuples(st.integers(0, LATEST - 1), st.integers(0, 2**28 - 1))


@given(MAILS, MAILS)
def test_row_numbers_follow_the_time_of_acceptance_and_stay_exact_everywhere(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    first, second = (row_number(structs.replace(QUEUED, accepted_at=at, number=number)) for at, number in (one, other))
    assert 0 <= first < 2**53
    if one[0] < other[0]:
        assert first < second
