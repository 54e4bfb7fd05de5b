"""Senders by name of the service: sums, first and last seen, what DNS adds later, and that a new one is told once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update

from mailvane.core.moments import DAY_MS
from mailvane.dmarc.counts import counts_of_rows
from mailvane.dmarc.intake import Aggregate, ReportIntake
from mailvane.dmarc.model import RowQuestion, SenderAddress
from mailvane.dmarc.store.tables import report_rows
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.store.tables import observations
from mailvane.server.ledger import Ledger

NOW = 1_790_000_000_000
RULE = {"type": "MV_NEW_DMARC_SENDER", "domains": ["ALL_DOMAINS"]}


class Desk:
    """Takes reports of a workspace whose domains are watched."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.workspace = ledger.tenants.add_workspace("one", NOW).id
        self.alerting = Alerting(ledger.alerting, frozenset)
        evaluated: list[object] = []
        watched = WatchedAssets(
            ledger.assets, ledger.observations, lambda *asked: evaluated.append(self.alerting.evaluate(*asked))
        )
        watched.add(self.workspace, AssetKind.DMARC, ["a.example", "b.example"], NOW)
        self.found: list[Aggregate] = []
        self.intake = ReportIntake(
            ledger.reports, watched, lambda _file, _name: iter(self.found), senders=ledger.senders
        )

    def take(self, ident: str, ends: int, *rows: dict[str, Any], domain: str = "a.example") -> None:
        self.found = [
            Aggregate(
                name=ident, organisation="isp", report_id=ident, domain=domain, begins=ends - DAY_MS, ends=ends,
                head={}, counts=counts_of_rows(rows), rows=rows, row_count=len(rows),
            )
        ]  # fmt: skip
        (taken,) = self.intake.take(self.workspace, None, ident, ends)  # type: ignore[arg-type]
        assert taken.new, taken

    def fired(self) -> list[Any]:
        page = self.alerting.entries(EntryQuestion(workspace=self.workspace))
        return [item for entry in page.entries for rule in entry.rules for item in rule.matchings["items"]]


def row(address: str, count: int, dkim: str = "", passes: bool = True) -> dict[str, Any]:
    results = [{"domain": dkim, "result": "pass"}] if dkim else []
    return {
        "source_ip": address, "count": count, "dkim": results, "spf": [], "dkim_aligned": passes, "spf_aligned": False,
    }  # fmt: skip


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def question(desk: Desk, since: int, domain: str | None = None) -> RowQuestion:
    return RowQuestion(workspace=desk.workspace, since=since, until=NOW + 400 * DAY_MS, domain=domain)


def test_services_are_summed_with_when_they_were_first_and_last_seen(desk: Desk) -> None:
    desk.take("1", NOW, row("192.0.2.1", 5, "amazonses.com"), row("192.0.2.2", 7, passes=False))
    desk.take("2", NOW + 40 * DAY_MS, row("192.0.2.1", 3, "amazonses.com"), row("192.0.2.3", 4, "eu.amazonses.com"))
    desk.take("3", NOW, row("192.0.2.9", 1, "mcsv.net"), domain="b.example")
    later = desk.ledger.senders.services(question(desk, NOW + DAY_MS))
    (ses,) = later
    assert (ses.domain, ses.service, ses.name) == ("a.example", "amazon-ses", "Amazon SES")
    assert (ses.first_seen, ses.last_seen) == (NOW - DAY_MS, NOW + 40 * DAY_MS)
    assert (ses.messages, ses.passed, ses.addresses) == (7, 7, 2)
    everything = desk.ledger.senders.services(question(desk, 0))
    assert [(each.domain, each.service, each.messages, each.passed) for each in everything] == [
        ("a.example", "amazon-ses", 12, 12), ("a.example", "", 7, 0), ("b.example", "mailchimp", 1, 1),
    ]  # fmt: skip
    assert [each.service for each in desk.ledger.senders.services(question(desk, 0, "b.example"))] == ["mailchimp"]
    other = desk.ledger.tenants.add_workspace("two", NOW).id
    assert desk.ledger.senders.services(RowQuestion(workspace=other, since=0, until=2 * NOW)) == []


def test_what_dns_says_is_given_to_the_rows_that_are_there_and_to_those_that_come(desk: Desk) -> None:
    senders = desk.ledger.senders
    desk.take("1", NOW, row("192.0.2.1", 5), row("192.0.2.2", 9), row("192.0.2.3", 1, "mcsv.net"))
    assert senders.unnamed(NOW, 10) == ["192.0.2.2", "192.0.2.1"]
    named = [
        SenderAddress(address="192.0.2.1", service="sendgrid", by="ptr", asked_at=NOW),
        SenderAddress(address="192.0.2.2", asked_at=NOW),
    ]
    (heard,) = senders.keep_addresses(named)
    assert (heard.domain, heard.service, heard.messages) == ("a.example", "sendgrid", 5)
    assert senders.unnamed(NOW, 10) == []
    assert senders.unnamed(NOW + 1, 10) == ["192.0.2.2"]
    desk.take("2", NOW + DAY_MS, row("192.0.2.1", 3))
    found = {each.service: each.messages for each in senders.services(question(desk, 0))}
    assert found == {"": 9, "sendgrid": 8, "mailchimp": 1}


def test_a_new_sender_is_told_once_and_those_of_the_first_week_are_no_news(desk: Desk) -> None:
    desk.alerting.create(desk.workspace, AlertDraft(name="new", rules=[RULE]), NOW)
    desk.take("1", NOW, row("192.0.2.1", 5, "amazonses.com"))
    desk.take("2", NOW + 5 * DAY_MS, row("192.0.2.1", 5, "mcsv.net"))
    assert desk.fired() == []
    later = NOW + 30 * DAY_MS
    desk.take("3", later, row("192.0.2.1", 5, "amazonses.com"), row("192.0.2.5", 2, "sendgrid.net"))
    assert desk.fired() == [{"domain": "a.example", "service": "Twilio SendGrid"}]
    desk.take("4", later + 2 * DAY_MS, row("192.0.2.5", 2, "sendgrid.net"))
    assert len(desk.fired()) == 1
    desk.take("5", later + 3 * DAY_MS, row("192.0.2.6", 2))
    named = [SenderAddress(address="192.0.2.6", service="mailgun", by="spf", asked_at=later)]
    desk.intake.name_senders(desk.ledger.senders.keep_addresses(named), later + 3 * DAY_MS)
    desk.intake.name_senders(desk.ledger.senders.keep_addresses(named), later + 4 * DAY_MS)
    assert {each["service"] for each in desk.fired()} == {"Twilio SendGrid", "Mailgun"}
    assert len(desk.fired()) == 2


def test_rows_of_an_earlier_version_are_judged_when_they_are_asked_for(desk: Desk) -> None:
    desk.alerting.create(desk.workspace, AlertDraft(name="new", rules=[RULE]), NOW)
    desk.take("1", NOW, row("192.0.2.1", 5, "amazonses.com"), row("192.0.2.2", 4))
    with desk.ledger.database.write() as connection:
        connection.execute(update(report_rows).values(service="?"))
        connection.execute(delete(observations))
    desk.take("2", NOW + 40 * DAY_MS, row("192.0.2.1", 1, "amazonses.com"))
    assert desk.fired() == [], "it was there before the upgrade"
    found = desk.ledger.senders.services(question(desk, 0))
    assert {each.service: each.messages for each in found} == {"amazon-ses": 6, "": 4}


def test_who_has_sent_for_long_when_dns_tells_is_no_news(desk: Desk) -> None:
    desk.alerting.create(desk.workspace, AlertDraft(name="new", rules=[RULE]), NOW)
    desk.take("1", NOW, row("192.0.2.1", 5, "amazonses.com"))
    desk.take("2", NOW + 20 * DAY_MS, row("192.0.2.6", 2))
    named = [SenderAddress(address="192.0.2.6", service="mailgun", by="spf", asked_at=NOW)]
    desk.intake.name_senders(desk.ledger.senders.keep_addresses(named), NOW + 40 * DAY_MS)
    desk.take("3", NOW + 41 * DAY_MS, row("192.0.2.6", 2))
    assert desk.fired() == []
