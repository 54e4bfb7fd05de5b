"""What the strictest published clients demand of an answer: no string for a number, nothing missing, nothing more."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
import pytest

from mailvane.maillog.model import EventType
from tests.wire.world import World, accepted, ended, populate

MailId = Annotated[str, msgspec.Meta(min_length=18, max_length=19, pattern="^[0-9a-f]+$")]


class Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A row as the clients for Python, Go and Java read it; they refuse unknown keys and missing ones."""

    row: Annotated[int, msgspec.Meta(lt=2**53)] = msgspec.field(name="_id")
    id: MailId
    sender: str = msgspec.field(name="from")
    to: str
    created: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")]
    time: int
    user: Annotated[str, msgspec.Meta(pattern=r"^mb\d+$")]
    transtype: str
    origin: str
    interface: str
    subject: str | None
    messageId: str | None  # noqa: N815 - the wire's names
    sendingZone: str | None  # noqa: N815
    bodySize: int | None  # noqa: N815
    seq: int | None
    delivered: Literal[0, 1] | None
    response: str | None
    code: int | None
    recipient: str | None
    domain: str | None
    locked: int | None
    lockTime: str | None  # noqa: N815
    assigned: str | None
    queued: str | None
    mxHostname: str | None  # noqa: N815


class Log(msgspec.Struct, forbid_unknown_fields=True):
    """The page around the rows."""

    total: int
    skip: int
    limit: int
    emails: list[Entry]


class Volume(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Objects, also when they are empty."""

    to: dict[str, int]
    sender: dict[str, int] = msgspec.field(name="from")
    ip: dict[str, int]


class Stats(msgspec.Struct, forbid_unknown_fields=True):
    """The statistics."""

    time: Literal["all", "billing", "month", "7d", "24h", "day", "1h"]
    usage: int
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    cost: float
    received: int
    sent: int
    volume: Volume


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """An order; a comment that is empty is left out."""

    id: int
    status: Literal["active", "canceled"]
    username: Annotated[str, msgspec.Meta(pattern=r"^mb\d+$")]
    comment: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    password: str | None = None


def test_every_row_of_the_log_is_accepted(world: World) -> None:
    populate(world)
    for kind in (EventType.DEFERRED, EventType.EXPIRED, EventType.HELD, EventType.DISCARDED):
        mail = accepted(world.ours, f"{kind}@isp.example", seconds_later=-600, number=len(kind))
        world.record(world.ours, mail, ended(mail, kind, 0, ""))
    answer = world.client.get("/mail/log", headers=world.ours.headers)
    assert len(msgspec.json.decode(answer.content, type=Log).emails) == 8
    assert re.fullmatch(r'\{"total":8,"skip":0,"limit":100,"emails":\[\{"_id":.*', answer.text)


@pytest.mark.parametrize("grouping", ["recipient", "message"])
def test_an_empty_log_is_a_page_too(world: World, grouping: str) -> None:
    answer = world.client.get("/mail/log", params={"groupby": grouping}, headers=world.ours.headers)
    assert msgspec.json.decode(answer.content, type=Log) == Log(0, 0, 100, [])


def test_statistics_without_mail_have_empty_objects(world: World) -> None:
    answer = world.client.get("/mail/stats", headers=world.ours.headers)
    stats = msgspec.json.decode(answer.content, type=Stats)
    assert stats.volume == Volume(to={}, sender={}, ip={})
    assert (stats.usage, stats.cost) == (0, 1.0)


@pytest.mark.parametrize("window", ["all", "billing", "month", "7d", "24h", "day", "1h"])
def test_every_window_is_echoed_and_accepted(world: World, window: str) -> None:
    populate(world)
    answer = world.client.get("/mail/stats", params={"time": window}, headers=world.ours.headers)
    assert msgspec.json.decode(answer.content, type=Stats).time == window


def test_orders_are_accepted_with_and_without_a_comment(world: World) -> None:
    bare = world.services.tenancy.create_relay(world.ours.workspace.id, "", 0)
    orders = msgspec.json.decode(world.client.get("/mail", headers=world.ours.headers).content, type=list[Order])
    assert [order.comment for order in orders] == ["relay of ours", None]
    one = world.client.get(f"/mail/{bare.id}", headers=world.ours.headers)
    assert msgspec.json.decode(one.content, type=Order).password == "********"


def test_a_canceled_order_is_listed_but_no_longer_asked(world: World) -> None:
    relay = world.ours.relay
    world.ledger.tenants.save_relay(msgspec.structs.replace(relay, active=False))
    orders = world.client.get("/mail", headers=world.ours.headers).json()
    assert [order["status"] for order in orders] == ["canceled"]
    log = world.client.get("/mail/log", headers=world.ours.headers)
    assert (log.status_code, log.json()) == (404, {"code": 404, "message": "no active mail order"})
    stats = world.client.get("/mail/stats", headers=world.ours.headers)
    assert (stats.status_code, stats.json()) == (400, {"code": 400, "message": "no active mail order"})
