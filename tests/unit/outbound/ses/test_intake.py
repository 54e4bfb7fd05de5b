"""The door for what SNS sends: each message does its work once, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.model import EventType
from mailvane.maillog.recording import Recorder
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.feedback import Answer, Outcome
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import OutboundStatus, SendRequest
from mailvane.outbound.ses.fetching import Unreachable
from mailvane.outbound.ses.intake import SnsIntake
from mailvane.outbound.ses.sns import SnsGate
from mailvane.server.ledger import Ledger
from mailvane_demo.world.sns_topic import SnsTopic
from tests.ledgers import fresh_ledger
from tests.unit.maillog.watched_maillog import WatchedMailLog
from tests.unit.outbound.ses.conftest import HOST, NOW, Internet
from tests.unit.outbound.ses.examples import bounce, notification

DOMAIN = "shop.example"


class House:
    """A server with one domain that has sent a hundred mails."""

    def __init__(self, ledger: Ledger, gate: SnsGate) -> None:
        self.ledger = ledger
        self.maillog = WatchedMailLog()
        self.recorder = Recorder(ledger.journal, self.maillog)
        self.tenancy = Tenancy(ledger.tenants, "")
        self.governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
        self.workspace = ledger.tenants.add_workspace("acme", NOW)
        self.governance.create(DOMAIN, self.workspace.id, NOW)
        self.governance.decide([SendRequest(domain=DOMAIN)] * 100, NOW)
        self.take = SnsIntake(gate, self.governance, self.tenancy, self.recorder)

    @property
    def bounces(self) -> int:
        return self.governance.usage_today(DOMAIN, NOW).bounces

    @property
    def complaints(self) -> int:
        return self.governance.usage_today(DOMAIN, NOW).complaints

    def status(self) -> OutboundStatus:
        return self.governance.domain(DOMAIN).status

    def events(self) -> list[tuple[EventType, str]]:
        self.recorder.drain()
        return [(event.type, event.recipient) for event in self.maillog.events]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = fresh_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def house(ledger: Ledger, gate: SnsGate) -> House:
    return House(ledger, gate)


def test_a_bounce_counts_and_stands_in_the_mail_log(house: House, topic: SnsTopic) -> None:
    assert house.take(topic.notification(bounce(), NOW, "a"), NOW) == Outcome(Answer.TAKEN, "counted")
    assert house.bounces == 1
    assert house.events() == [(EventType.BOUNCED, "ann@one.example")]


def test_a_complaint_counts_as_one(house: House, topic: SnsTopic) -> None:
    house.take(topic.notification(notification("Complaint"), NOW, "a"), NOW)
    assert (house.bounces, house.complaints) == (0, 1)


def test_a_delivery_is_only_recorded(house: House, topic: SnsTopic) -> None:
    assert house.take(topic.notification(notification("Delivery"), NOW, "a"), NOW).why == "recorded"
    assert (house.bounces, house.complaints) == (0, 0)
    assert house.events() == [(EventType.DELIVERED, "ann@one.example")]


def test_a_repeat_changes_nothing(house: House, topic: SnsTopic) -> None:
    body = topic.notification(bounce(), NOW, "a")
    for _ in range(3):
        assert house.take(body, NOW).answer is Answer.TAKEN
    assert house.bounces == 1
    assert len(house.events()) == 1


def test_one_feedback_in_several_messages_counts_once(house: House, topic: SnsTopic) -> None:
    """An identity and a configuration set both publish it, under ids and words of their own."""
    published = json.loads(bounce())
    published["eventType"] = published.pop("notificationType")
    whys = [
        house.take(topic.notification(text, NOW, key), NOW).why
        for text, key in ((bounce(), "a"), (json.dumps(published), "b"))
    ]
    assert whys == ["counted", "recorded"]
    assert house.bounces == 1
    assert len(house.events()) == 1
    house.take(topic.notification(bounce(feedbackId="another"), NOW, "c"), NOW)
    house.take(topic.notification(bounce(feedbackId=None), NOW, "d"), NOW)
    assert house.bounces == 3


def test_text_that_is_moved_between_signed_fields_counts_nothing(house: House, topic: SnsTopic) -> None:
    """The signature is over lines, so it still holds; what it says would come under another id."""
    whole = json.loads(topic.notification(bounce(feedbackId=None), NOW, "a", "Amazon SES"))
    moved = {each: value for each, value in whole.items() if each != "Subject"}
    moved["MessageId"] = f"{whole['MessageId']}\nSubject\n{whole['Subject']}"
    outcome = house.take(json.dumps(moved).encode(), NOW)
    assert (outcome.answer, "control character" in outcome.why) == (Answer.MALFORMED, True)
    assert house.bounces == 0
    assert house.take(json.dumps(whole).encode(), NOW).why == "counted"
    assert house.take(json.dumps(moved).encode(), NOW).answer is Answer.MALFORMED
    assert house.bounces == 1


def test_sent_five_times_in_parallel_it_counts_once(house: House, topic: SnsTopic) -> None:
    body = topic.notification(bounce(), NOW, "a")
    with ThreadPoolExecutor(5) as pool:
        outcomes = list(pool.map(lambda _: house.take(body, NOW), range(5)))
    assert {outcome.answer for outcome in outcomes} == {Answer.TAKEN}
    assert [outcome.why for outcome in outcomes].count("counted") == 1
    assert house.bounces == 1
    assert len(house.events()) == 1


def test_the_fourth_bounce_of_a_hundred_stops_the_domain_and_says_why(house: House, topic: SnsTopic) -> None:
    for number in range(3):
        house.take(topic.notification(bounce(feedbackId=f"f{number}"), NOW, str(number)), NOW)
    assert house.status() is OutboundStatus.ACTIVE
    house.take(topic.notification(bounce(), NOW, "last"), NOW)
    assert house.status() is OutboundStatus.SUSPENDED
    (entry,) = [each for each in house.governance.audit(DOMAIN, 10) if each.action == "suspended"]
    evidence = json.loads(entry.evidence)
    assert evidence["notification"]["recipients"] == ["ann@one.example"]
    assert evidence["notification"]["topic"] == topic.arn
    assert evidence["notification"]["bounce"] == "Permanent/General"
    assert evidence["notification"]["feedback"] == "feedback-1"


def test_a_forged_message_changes_nothing(house: House, topic: SnsTopic) -> None:
    body = json.loads(topic.notification(bounce(), NOW, "a")) | {"MessageId": "mine"}
    outcome = house.take(json.dumps(body).encode(), NOW)
    assert outcome.answer is Answer.REFUSED
    assert "signature" in outcome.why
    assert house.bounces == 0
    assert house.events() == []


def test_what_is_no_message_is_malformed(house: House) -> None:
    assert house.take(b"{", NOW).answer is Answer.MALFORMED


def test_an_unknown_domain_is_taken_and_leaves_no_trace(house: House, topic: SnsTopic) -> None:
    text = notification("Bounce", source="x@other.example", sourceArn=None)
    assert house.take(topic.notification(text, NOW, "a"), NOW).answer is Answer.TAKEN
    assert house.events() == []


def test_a_subdomain_answers_to_the_identity_that_ses_names(house: House, topic: SnsTopic) -> None:
    text = notification("Bounce", source="x@mail.shop.example")
    house.take(topic.notification(text, NOW, "a"), NOW)
    assert house.bounces == 1


def test_what_ses_says_by_the_way_is_taken(house: House, topic: SnsTopic) -> None:
    for text in ("Successfully validated", '{"notificationType":"AmazonSnsSubscriptionSucceeded"}'):
        assert house.take(topic.notification(text, NOW, text), NOW).answer is Answer.TAKEN
    assert house.take(topic.confirmation(NOW, "u", "UnsubscribeConfirmation"), NOW).answer is Answer.TAKEN


def test_a_subscription_is_confirmed(house: House, topic: SnsTopic, internet: Internet) -> None:
    body = topic.confirmation(NOW, "s")
    url = json.loads(body)["SubscribeURL"]
    internet.pages[url] = Unreachable("away")
    assert house.take(body, NOW).answer is Answer.LATER
    internet.pages[url] = b"confirmed"
    assert house.take(body, NOW) == Outcome(Answer.TAKEN, "subscribed")


def test_a_certificate_that_is_away_is_no_refusal(house: House, topic: SnsTopic, internet: Internet) -> None:
    page = internet.pages.pop(f"https://{HOST}/{topic.certificate}")
    internet.pages[f"https://{HOST}/{topic.certificate}"] = Unreachable("away")
    body = topic.notification(bounce(), NOW, "a")
    assert house.take(body, NOW).answer is Answer.LATER
    internet.pages[f"https://{HOST}/{topic.certificate}"] = page
    assert house.take(body, NOW).why == "counted"


class Interrupted:
    """Governance that fails after the mail event is safe."""

    def __init__(self, governance: Governance) -> None:
        self.governed = governance.governed

    def feedback(self, *_: object) -> bool:
        raise StoreUnavailable("the ledger went away")


def test_a_failure_between_event_and_feedback_is_made_good_when_it_is_sent_again(
    house: House, topic: SnsTopic, gate: SnsGate
) -> None:
    body = topic.notification(bounce(), NOW, "a")
    broken = SnsIntake(gate, Interrupted(house.governance), house.tenancy, house.recorder)
    assert broken(body, NOW).answer is Answer.LATER
    assert house.bounces == 0
    assert house.take(body, NOW).why == "counted"
    assert house.bounces == 1
    assert len(house.events()) == 1


def test_mail_is_told_of_the_first_active_relay_of_the_domains_workspace(
    house: House, topic: SnsTopic, gate: SnsGate
) -> None:
    stranger = house.ledger.tenants.add_workspace("other", NOW)
    foreign = house.ledger.tenants.add_relay(stranger.id, "theirs", NOW)
    old = house.ledger.tenants.add_relay(house.workspace.id, "old", NOW)
    house.ledger.tenants.save_relay(msgspec.structs.replace(old, active=False))
    first = house.ledger.tenants.add_relay(house.workspace.id, "first", NOW)
    second = house.ledger.tenants.add_relay(house.workspace.id, "second", NOW)
    for number, chosen in enumerate((None, second.id, foreign.id, old.id)):
        take = SnsIntake(gate, house.governance, house.tenancy, house.recorder, relay=chosen)
        take(topic.notification(notification("Open"), NOW, str(number)), NOW)
    house.events()
    assert [event.relay for event in house.maillog.events] == [first.id, second.id, first.id, first.id]
    assert {batch.workspace for batch in house.maillog.batches.values()} == {house.workspace.id}


def test_a_workspace_without_a_relay_gets_one(house: House, topic: SnsTopic) -> None:
    for number in range(2):
        house.take(topic.notification(notification("Open"), NOW, str(number)), NOW)
    (relay,) = house.tenancy.active_relays(house.workspace.id)
    assert relay.comment == "Amazon SES"
    house.events()
    assert {event.relay for event in house.maillog.events} == {relay.id}


def test_transient_bounces_count_where_the_settings_say_so(house: House, topic: SnsTopic, gate: SnsGate) -> None:
    body = topic.notification(bounce(bounceType="Transient"), NOW, "a")
    assert house.take(body, NOW).why == "recorded"
    take = SnsIntake(gate, house.governance, house.tenancy, house.recorder, count_all_bounces=True)
    assert take(body, NOW).why == "counted"


def test_who_only_claims_a_domain_sees_nothing_of_its_bounces(house: House, topic: SnsTopic) -> None:
    house.governance.change(DOMAIN, {"approved": False}, "master", NOW)
    outcome = house.take(topic.notification(bounce(), NOW, "a"), NOW)
    assert (outcome.answer, outcome.why) == (Answer.TAKEN, "no domain of this server")
    assert (house.bounces, house.events()) == (0, [])


def test_of_a_removed_domain_bounces_still_count(house: House, topic: SnsTopic) -> None:
    house.governance.remove(DOMAIN, "key 1", NOW)
    assert house.take(topic.notification(bounce(), NOW, "a"), NOW).why == "counted"
    assert len(house.events()) == 1
    house.governance.create(DOMAIN, house.workspace.id, NOW)
    assert house.bounces == 1
