"""POST /mailvane/v1/events: what other mail servers send, and what they are told."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest
from msgspec import structs

from mailvane.core.errors import StoreUnavailable
from mailvane.core.tenants.model import KeyKind
from mailvane.maillog.api.event import NativeEvent
from mailvane.maillog.api.intake import DecodedEvents, Intake, Receipt
from mailvane.maillog.model import EventType, MailKey, MailKind, ReasonFamily, mail_id, mail_number
from tests.wire.world import MASTER, NOW, Tenant, World

URL = "/mailvane/v1/events"
ACCEPTED_AT = 1_705_521_600_000  # 2024-01-17T20:00:00Z


def event(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": "e1",
        "type": "accepted",
        "time": "2024-01-17T20:00:00Z",
        "mail": "q1",
        "recipient": "client@isp.example",
    }
    return {name: value for name, value in (plain | changes).items() if value is not None}


def lines(*events: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(one) for one in events).encode()


def send(world: World, body: bytes, tenant: Tenant | None = None, form: dict[str, str] | None = None) -> httpx.Response:
    return world.client.post(URL, content=body, headers=(tenant or world.ours).headers | (form or {}))


def stored(world: World, tenant: Tenant | None = None) -> list[Any]:
    world.services.maillog.recorder.drain()
    return world.maillog._events.get((tenant or world.ours).workspace.id, [])


def test_an_event_reaches_the_mail_log_with_all_that_was_told(world: World) -> None:
    told = event(
        type="bounced", id="x" * 200, accepted_at=1_705_521_600, time=1_705_521_603.25, kind="notification",
        original_recipient="info@ISP.example", recipient_number=3, sender="Person@OURS.example", subject="Grüße",
        message_id="<a@b>", header_from="shop@ours.example", reply_to="help@ours.example", in_reply_to="<c@d>",
        references="<c@d> <e@f>", origin="2001:DB8::1", client_name="host.example", login="person", protocol="ESMTPSA",
        interface="submission", size=123, queue_id="Q1", host="mx1", transport="smtp", mx_host="mx.isp.example",
        mx_ip="198.51.100.9", code=550, enhanced_code="5.1.1", reply="550 5.1.1 No such user", tls="TLSv1.3",
        delay=3.25, family="unknown_user",
    )  # fmt: skip
    answer = send(world, lines(told))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "duplicates": 0})
    (kept,) = stored(world)
    assert kept.key == MailKey(world.ours.relay.id, ACCEPTED_AT, mail_number("q1"))
    expected = {name: value for name, value in told.items() if name not in {"id", "mail", "time", "accepted_at"}}
    expected |= {"original_recipient": "info@isp.example", "sender": "Person@ours.example", "origin": "2001:db8::1"}
    expected |= {"at": ACCEPTED_AT + 3250, "delay": 3250, "hard": True, "source": "intake", "line": 1, "waiting": 0}
    assert {name: value for name, value in structs.asdict(kept).items() if name in expected} == expected
    assert kept.kind is MailKind.NOTIFICATION


def test_folded_headers_and_replies_become_one_line(world: World) -> None:
    told = event(subject="Your\r\n order", reply="250-first\r\n250 last", references="<a@b>\r\n\t<c@d>")
    assert send(world, lines(told)).status_code == 200
    (kept,) = stored(world)
    assert (kept.subject, kept.reply, kept.references) == ("Your order", "250-first 250 last", "<a@b> <c@d>")


def test_null_is_the_same_as_left_out(world: World) -> None:
    optional = set(NativeEvent.__struct_fields__) - {"id", "type", "time", "recipient", "mail"}
    plain = event(id="plain")
    assert send(world, lines(plain, plain | dict.fromkeys(optional) | {"id": "null"})).json()["accepted"] == 2
    first, second = stored(world)
    assert structs.replace(second, line=1) == first


def test_events_of_one_mail_meet_by_either_name(world: World) -> None:
    by_mail = event(id="a", type="delivered", accepted_at="2024-01-17T21:00:00+01:00", code=250)
    by_id = event(id="b", type="opened", mail=None, mail_id=mail_id(ACCEPTED_AT, mail_number("q1")).upper())
    assert send(world, lines(event(), by_mail, by_id)).json() == {"accepted": 3, "duplicates": 0}
    assert len({one.key for one in stored(world)}) == 1


@pytest.mark.parametrize(
    "time", [1_705_521_600, 1_705_521_600.0, 1_705_521_600_000, "2024-01-17T20:00:00Z", "2024-01-17T15:00:00.000-05:00"]
)
def test_times_are_seconds_milliseconds_or_text(world: World, time: Any) -> None:
    assert send(world, lines(event(time=time))).status_code == 200
    assert stored(world)[0].at == ACCEPTED_AT


def test_an_event_told_twice_counts_once(world: World) -> None:
    body = lines(event(id="a"), event(id="b", recipient="two@isp.example"))
    assert send(world, body).json() == {"accepted": 2, "duplicates": 0}
    assert send(world, body).json() == {"accepted": 0, "duplicates": 2}
    assert send(world, body + b"\n" + lines(event(id="c"))).json() == {"accepted": 1, "duplicates": 2}
    assert send(world, lines(event(id="d"), event(id="d"))).json() == {"accepted": 1, "duplicates": 1}
    assert len(stored(world)) == 4


def test_requests_committed_together_get_their_own_receipts(world: World) -> None:
    intake = Intake(world.services.tenancy, world.services.maillog.recorder)
    workspace = world.ours.workspace.id

    def read(*ids: str) -> DecodedEvents:
        return intake.read(workspace, lines(*(event(id=one, recipient=f"{one}@isp.example") for one in ids)))

    assert intake.commit(workspace, [read("a")], NOW) == [Receipt(1, 0)]
    group = [read("a", "b"), read(), read("b"), read("c", "a", "d", "c"), read("d")]
    assert intake.commit(workspace, group, NOW) == [
        Receipt(1, 1), Receipt(0, 0), Receipt(0, 1), Receipt(2, 2), Receipt(0, 1),
    ]  # fmt: skip
    assert [one.recipient[0] for one in stored(world)] == ["a", "b", "c", "d"]


def test_an_event_id_belongs_to_its_workspace(world: World) -> None:
    assert send(world, lines(event())).json()["accepted"] == 1
    assert send(world, lines(event()), world.theirs).json()["accepted"] == 1


def test_the_first_bad_line_is_named_and_nothing_is_kept(world: World) -> None:
    body = lines(event(id="a")) + b"\n\n" + lines(event(id="b", typ="x"), event(id=3))
    answer = send(world, body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "title": "Bad Request",
        "status": 400,
        "detail": "line 3: Object contains unknown field `typ`",
        "line": 3,
    }
    assert stored(world) == []
    assert send(world, lines(event(id="a"))).json() == {"accepted": 1, "duplicates": 0}


REFUSED = {
    "no JSON": b"accepted q1 client@isp.example",
    "an array": b"[]",
    "broken UTF-8": b'{"id": "\xff\xfe"}',
    "half a line": lines(event())[:-1],
    "no id": lines(event(id=None)),
    "an empty id": lines(event(id="")),
    "a long id": lines(event(id="x" * 201)),
    "no type": lines(event(type=None)),
    "an unknown type": lines(event(type="sent")),
    "a type that only Mailvane uses": lines(event(type="reinjected")),
    "no recipient": lines(event(recipient=None)),
    "an empty recipient": lines(event(recipient="")),
    "no time": lines(event(time=None)),
    "a time without a zone": lines(event(time="2024-01-17T20:00:00")),
    "a time that is none": lines(event(time="yesterday")),
    "a time before 1970": lines(event(time=-1)),
    "a time after 2200": lines(event(time="2201-01-01T00:00:00Z")),
    "a huge time": lines(event(time=1e300)),
    "a time that is a boolean": lines(event(time=True)),
    "no mail": lines(event(mail=None)),
    "a mail named twice": lines(event(mail_id="18d1903054d0abcdef")),
    "a short mail id": lines(event(mail=None, mail_id="18d1903054d0abcde")),
    "a mail id that is not hexadecimal": lines(event(mail=None, mail_id="18d19030_4d0abcdef")),
    "a mail id from after 2200": lines(event(mail=None, mail_id="f" * 18)),
    "a mail id and an acceptance": lines(event(mail=None, mail_id="18d1903054d0abcdef", accepted_at=ACCEPTED_AT)),
    "a delivery without time of acceptance": lines(event(type="delivered")),
    "a relay of another workspace": lines(event(relay=2)),
    "a relay that does not exist": lines(event(relay=77)),
    "a relay that is text": lines(event(relay="1")),
    "a NUL": lines(event(subject="a\0b")),
    "a line break in a name": lines(event(mx_host="mx\nx")),
    "a control character in the reply": lines(event(reply="250 \x1b[31mok")),
    "an enhanced code that is none": lines(event(type="bounced", accepted_at=1, enhanced_code="x")),
    "a NUL in the mail's name": lines(event(mail="q\0")),
    "a NUL in the event's id": lines(event(id="q\0")),
    "deep nesting": b'{"id": ' + b"[" * 100_000,
    "a control character in the recipient": lines(event(recipient="a\x1b@isp.example")),
    "a long subject": lines(event(subject="x" * 4097)),
    "a negative size": lines(event(size=-1)),
    "a size that is text": lines(event(size="1")),
    "a code of four digits": lines(event(code=2500)),
    "an origin that is no address": lines(event(origin="localhost")),
    "an unknown family": lines(event(family="bad luck")),
    "a negative delay": lines(event(delay=-1)),
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_line_that_is_no_event_is_refused(world: World, body: bytes) -> None:
    answer = send(world, lines(event(id="good")) + b"\n" + body)
    assert (answer.status_code, answer.json()["line"]) == (400, 2), answer.text
    assert stored(world) == []


@pytest.mark.parametrize(
    ("told", "family", "hard"),
    [
        ({"type": "bounced", "code": 550}, ReasonFamily.UNKNOWN_USER, True),
        ({"type": "bounced", "code": 555}, ReasonFamily.OTHER, True),
        ({"type": "deferred", "code": 450}, ReasonFamily.NETWORK, False),
        ({"type": "bounced", "enhanced_code": "5.7.1"}, ReasonFamily.POLICY, True),
        ({"type": "bounced", "code": 552, "reply": "mailbox is full"}, ReasonFamily.MAILBOX_FULL, False),
        ({"type": "bounced", "reply": "550 5.1.1 No such\r\n user"}, ReasonFamily.UNKNOWN_USER, True),
        ({"type": "bounced", "reply": "550-5.7.1 as this is spam"}, ReasonFamily.SPAM, True),
        ({"type": "deferred", "reply": "451 4.7.1 Greylisted"}, ReasonFamily.RATE_LIMIT, False),
        ({"type": "deferred", "code": 452, "reply": "552 5.2.2 confusing"}, ReasonFamily.MAILBOX_FULL, False),
        ({"type": "rejected", "reply": "no codes, but spam"}, ReasonFamily.SPAM, False),
        ({"type": "bounced", "code": 550, "hard": False}, ReasonFamily.UNKNOWN_USER, False),
        ({"type": "bounced", "code": 550, "family": "reputation"}, ReasonFamily.REPUTATION, True),
        ({"type": "expired"}, ReasonFamily.OTHER, False),
        ({"type": "bounced", "code": 550, "hard": False, "family": "mailbox_full"}, ReasonFamily.MAILBOX_FULL, False),
        ({"type": "delivered", "code": 250}, ReasonFamily.NONE, False),
        ({"type": "held", "reply": "550 spam"}, ReasonFamily.NONE, False),
    ],
)
def test_why_a_failure_happened_follows_from_what_was_told(
    world: World, told: dict[str, Any], family: ReasonFamily, hard: bool
) -> None:
    send(world, lines(event(accepted_at=ACCEPTED_AT, **told)))
    assert [(one.family, one.hard) for one in stored(world)] == [(family, hard)]


def test_a_workspace_with_several_relays_must_name_one(world: World) -> None:
    second = world.services.tenancy.create_relay(world.ours.workspace.id, "second", NOW)
    assert "several" in send(world, lines(event())).json()["detail"]
    assert send(world, lines(event(relay=second.id))).status_code == 200
    assert stored(world)[0].relay == second.id


def test_a_relay_that_is_canceled_takes_nothing_in(world: World) -> None:
    world.ledger.tenants.save_relay(structs.replace(world.ours.relay, active=False))
    assert send(world, lines(event())).status_code == 400
    assert send(world, lines(event(relay=world.ours.relay.id))).status_code == 400


def test_the_retention_of_the_workspace_goes_along(world: World) -> None:
    world.services.tenancy.keep("ours", 30)
    send(world, lines(event()))
    assert [pending.batch.retention_days for pending in world.ledger.journal.pending(9)] == [30]


def test_a_gzip_body_is_unpacked(world: World) -> None:
    body = gzip.compress(lines(event(id="a"))) + gzip.compress(b"\n" + lines(event(id="b")))
    answer = send(world, body, form={"Content-Encoding": "gzip"})
    assert answer.json() == {"accepted": 2, "duplicates": 0}


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(lines(event()))[:-9]], ids=["plain", "cut off"])
def test_a_broken_gzip_body_is_refused(world: World, body: bytes) -> None:
    assert send(world, body, form={"Content-Encoding": "gzip"}).status_code == 400


def test_a_body_that_unpacks_too_large_is_refused(world: World) -> None:
    answer = send(world, gzip.compress(b"\n" * (32 * 1024 * 1024 + 1)), form={"Content-Encoding": "gzip"})
    assert answer.status_code == 413


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    assert send(world, b"\n" * (32 * 1024 * 1024 + 1)).status_code == 413


def test_too_many_lines_are_refused(world: World) -> None:
    assert send(world, b"\n".join([lines(event())] * 100_001)).status_code == 413
    assert stored(world) == []


@pytest.mark.parametrize(
    ("name", "value"), [("Content-Encoding", "br"), ("Content-Type", "text/html"), ("Content-Type", "application/json")]
)
def test_another_form_is_refused(world: World, name: str, value: str) -> None:
    assert send(world, lines(event()), form={name: value}).status_code == 415


@pytest.mark.parametrize("form", ["application/x-ndjson", "application/x-ndjson; charset=utf-8", "text/plain"])
def test_the_forms_of_ndjson_are_accepted(world: World, form: str) -> None:
    assert send(world, lines(event()) + b"\r\n", form={"Content-Type": form}).json()["accepted"] == 1


@pytest.mark.parametrize("body", [b"", b"\n \r\n\n"])
def test_an_empty_body_is_nothing(world: World, body: bytes) -> None:
    assert send(world, body).json() == {"accepted": 0, "duplicates": 0}


def test_keys_that_span_workspaces_name_one(world: World) -> None:
    for token in (world.platform, MASTER):
        headers = {"Authorization": f"Bearer {token}"}
        assert world.client.post(URL, content=b"", headers=headers).status_code == 400
        headers["X-Workspace-Id"] = str(world.theirs.workspace.id)
        assert world.client.post(URL, content=lines(event(id=token)), headers=headers).json()["accepted"] == 1
    assert len(stored(world, world.theirs)) == 2


def test_a_client_key_may_not_send_events(world: World) -> None:
    token = world.services.tenancy.create_key(KeyKind.CLIENT, world.ours.workspace.id, NOW).token
    answer = world.client.post(URL, content=lines(event()), headers={"X-API-KEY": token})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"") * 1_000_000, gzip.compress(b" " * (20 * 1024 * 1024))],
    ids=["a million members that hold nothing", "out of proportion"],
)
def test_a_gzip_body_that_costs_more_than_it_holds_is_refused(world: World, body: bytes) -> None:
    answer = send(world, body, form={"Content-Encoding": "gzip"})
    assert answer.status_code == 413


def test_empty_lines_have_a_bound_too(world: World) -> None:
    assert send(world, b"\n" * 200_000).json() == {"accepted": 0, "duplicates": 0}
    assert send(world, b"\n" * 200_001).status_code == 413


def test_without_a_key_nothing_is_read(world: World) -> None:
    answer = world.client.post(URL, content=b"not JSON")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="mailvane"')


def test_when_the_journal_is_away_the_sender_is_told_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the ledger does not answer")

    monkeypatch.setattr(world.services.maillog.recorder, "record", away)
    answer = send(world, lines(event()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_every_type_that_is_documented_is_taken(world: World) -> None:
    types = [kind for kind in EventType if kind is not EventType.REINJECTED]
    told = [event(id=kind, type=kind, accepted_at=ACCEPTED_AT) for kind in types]
    assert send(world, lines(*told)).json()["accepted"] == len(types)
