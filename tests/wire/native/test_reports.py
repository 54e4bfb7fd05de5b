"""TLS and abuse reports as Mailvane's own clients ask for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailvane.reputation.model import Observation, ObservationKind
from tests.wire.world import MASTER, NOW, Tenant, World

HOUR = 3_600_000


def asked(world: World, path: str, status: int = 200, token: str = "", **query: Any) -> Any:
    headers = {"X-API-KEY": token or world.ours.token, "X-Workspace-Id": str(world.ours.workspace.id)}
    answer = world.client.get(f"/mailvane/v1/dmarc/{path}", headers=headers, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def tell(world: World, tenant: Tenant, kind: ObservationKind, number: int, **data: Any) -> None:
    told = Observation(
        kind=kind, asset="shop.example", key=f"r{number}", at=NOW - number * HOUR, seen_at=NOW, data=data
    )
    world.ledger.observations.observe(tenant.workspace.id, [told])


def test_tls_reports_are_paged_with_the_sums_of_all(world: World) -> None:
    for number in range(5):
        tell(world, world.ours, ObservationKind.TLS, number, succeeded=10, failed=number % 2, failures=[])
    tell(world, world.theirs, ObservationKind.TLS, 9, succeeded=0, failed=99, failures=[])
    page = asked(world, "tls", offset=1, limit=2)
    assert (page["total"], [each["key"] for each in page["reports"]]) == (5, ["r1", "r2"])
    assert page["domains"] == [{"domain": "shop.example", "reports": 5, "succeeded": 50, "failed": 2}]
    assert page["reports"][0]["data"]["failed"] == 1
    assert asked(world, "tls", failing="true")["total"] == 2
    assert asked(world, "tls", domain="Shop.Example.")["total"] == 5
    assert asked(world, "tls", domain="other.example")["total"] == 0
    assert asked(world, "tls", since=NOW - 2 * HOUR, until=NOW)["total"] == 2
    assert asked(world, "tls", token=MASTER)["total"] == 5


def test_abuse_reports_are_counted_by_type(world: World) -> None:
    for number, kind in enumerate(("abuse", "abuse", "auth-failure")):
        tell(world, world.ours, ObservationKind.FAILURE, number, feedback_type=kind)
    page = asked(world, "abuse", type="Abuse", limit=1)
    assert (page["total"], [each["key"] for each in page["reports"]]) == (2, ["r0"])
    assert asked(world, "abuse")["domains"] == [
        {"domain": "shop.example", "feedback_type": "abuse", "reports": 2},
        {"domain": "shop.example", "feedback_type": "auth-failure", "reports": 1},
    ]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("limit", "1001"),
        ("limit", "x"),
        ("offset", "-1"),
        ("since", "yesterday"),
        ("until", "9" * 20),
        ("failing", "x"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused_by_name(world: World, name: str, given: str) -> None:
    assert name in asked(world, "tls", 400, **{name: given})["detail"]


def test_a_complaint_that_comes_over_http_is_told_of_its_mail(world: World) -> None:
    report = (
        "From: fbl@one.example\r\nMessage-ID: <f1@one.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: n@shop.example\r\nSubject: Sale\r\n\r\nBuy\r\n--b--\r\n"
    )
    headers = {"X-API-KEY": world.ours.token}
    for count in (1, 0):
        answer = world.client.post("/mailvane/v1/sources/dmarc/import", headers=headers, content=report)
        assert answer.json() == {"count": count}
    (told,) = asked(world, "abuse")["reports"]
    assert told["data"]["complaint"]["remarks"][0] == "the mail log does not know the mail"


def test_late_bounces_and_feedback_of_kumomta_reach_the_mails_that_they_tell_of(world: World) -> None:
    headers = {"X-API-KEY": world.ours.token}
    spool = "1d98076abbbc11ed940250ebf67f93bd"
    mail = {"mail": spool, "queue_id": spool, "accepted_at": NOW // 1000 - 60, "sender": "b@shop.example"}
    sent = [
        {**mail, "id": f"{kind}/{name}", "type": kind, "time": NOW // 1000 - 59, "recipient": f"{name}@one.example"}
        for name in ("ann", "bob")
        for kind in ("accepted", "delivered")
    ]
    lines = "\n".join(json.dumps(each) for each in sent)
    assert world.client.post("/mailvane/v1/events", headers=headers, content=lines).status_code == 200
    world.services.maillog.recorder.drain()
    shared = {"id": "aa98076abbbc11ed", "timestamp": NOW // 1000 - 5, "created": NOW // 1000 - 5}
    bounce = {
        **shared, "type": "OOB", "sender": "b@shop.example", "recipient": "ann@one.example",
        "response": {"code": 550, "enhanced_code": {"class": 5, "subject": 1, "detail": 1}, "content": "unknown"},
    }  # fmt: skip
    feedback = {
        **shared, "type": "Feedback", "sender": "", "recipient": "fbl@shop.example",
        "feedback_report": {
            "feedback_type": "abuse", "version": "1", "reported_domain": ["shop.example"],
            "supplemental_trace": {"recipient": "bob@one.example", "spool_id": spool},
        },
    }  # fmt: skip
    stray = {**bounce, "id": "cc98076abbbc11ed", "recipient": "nobody@one.example"}
    for record in (bounce, feedback, stray, bounce, feedback):
        answer = world.client.post("/mailvane/v1/sources/dmarc/import", headers=headers, json=record)
        assert answer.status_code == 200, answer.text
        world.services.maillog.recorder.drain()
    told = world.maillog._events[world.ours.workspace.id]
    assert [(each.type.value, each.recipient) for each in told if each.type.value in ("bounced", "complained")] == [
        ("bounced", "ann@one.example"),
        ("complained", "bob@one.example"),
    ]
    remarks = [each["data"]["complaint"]["remarks"] for each in asked(world, "abuse", type="bounce")["reports"]]
    assert ["the mail log does not know the mail: the bounce is not counted"] in remarks
    assert len(remarks) == 2
