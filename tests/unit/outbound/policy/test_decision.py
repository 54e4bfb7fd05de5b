"""Which mail counts for whom, and what Postfix is told."""

from __future__ import annotations

from ipaddress import ip_network

import msgspec
import pytest

from mailvane.outbound.model import Reason, SendRequest, Verdict
from mailvane.outbound.policy.decision import REFUSALS, DomainSource, PolicyRules, Refusal, action, send_request_of
from mailvane.outbound.policy.protocol import Request

SASL, SENDER, CLIENT = DomainSource.SASL, DomainSource.SENDER, DomainSource.CLIENT
RULES = PolicyRules()


def request(**told: object) -> Request:
    return Request(**{"stage": "RCPT", "sender": "ann@shop.example", "recipient": "bob@inbox.example", **told})  # type: ignore[arg-type]


def domain_of(rules: PolicyRules = RULES, **told: object) -> str | None:
    asked = send_request_of(request(**told), rules)
    return None if asked is None else asked.domain


def test_a_mail_counts_for_the_domain_of_the_login_else_of_the_sender() -> None:
    assert domain_of(sasl_username="root@office.example") == "office.example"
    assert domain_of() == "shop.example"
    assert domain_of(sasl_username="ann") == "shop.example", "a login without a domain tells none"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((SENDER, SASL), "shop.example"),
        ((SASL,), "office.example"),
        ((CLIENT, SASL), "net.example"),
        ((SENDER,), "shop.example"),
    ],
)
def test_the_order_is_the_operators(order: tuple[DomainSource, ...], expected: str) -> None:
    rules = PolicyRules(domain_by=order, clients={ip_network("192.0.2.0/24"): "net.example"})
    assert domain_of(rules, sasl_username="root@office.example", client_address="192.0.2.7") == expected


def test_nobody_to_count_for_means_not_counted() -> None:
    assert domain_of(PolicyRules(domain_by=(SASL,))) is None
    assert domain_of(sender="root") is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "one.example"),
        ("192.0.2.8", "net.example"),
        ("2001:db8::9", "six.example"),
        ("198.51.100.1", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_a_client_counts_for_the_narrowest_network_it_lies_in(address: str, expected: str | None) -> None:
    clients = {
        ip_network("192.0.2.0/24"): "net.example",
        ip_network("192.0.2.7/32"): "one.example",
        ip_network("2001:db8::/64"): "six.example",
    }
    assert domain_of(PolicyRules(domain_by=(CLIENT,), clients=clients), client_address=address) == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("Ann@SHOP.Example", "shop.example"),
        ("ann@shop.example.", "shop.example"),
        ('"a@b"@shop.example', "shop.example"),
        ("ann@bücher.example", "xn--bcher-kva.example"),
        ("ann@[192.0.2.1]", "[192.0.2.1]"),
        ("ann@", None),
        ("ann@" + "x" * 300, None),
        ("ann@\ufffd.example", None),
        ("ann@" + "ü" * 100 + ".example", None),
    ],
)
def test_a_domain_is_spelled_as_it_is_stored(sender: str, expected: str | None) -> None:
    assert domain_of(sender=sender) == expected


def test_bounces_and_notifications_do_not_count() -> None:
    assert domain_of(sender="", sasl_username="ann@shop.example") is None


def test_bounces_of_somebody_who_logged_in_count_where_the_operator_wants_it() -> None:
    rules = PolicyRules(count_null_sender=True)
    assert domain_of(rules, sender="", sasl_username="ann@shop.example") == "shop.example"
    assert domain_of(rules, sender="") is None


@pytest.mark.parametrize(
    ("recipient", "counts"),
    [
        ("bob@office.example", False),
        ("bob@OFFICE.example", False),
        ("bob@lists.office.example", True),
        ("bob@a.below.example", False),
        ("bob@b.a.below.example", False),
        ("bob@below.example", True),
        ("bob@notbelow.example", True),
        ("bob@inbox.example", True),
        ("", True),
        ("postmaster", True),
    ],
)
def test_mail_to_domains_of_the_house_does_not_count(recipient: str, counts: bool) -> None:
    rules = PolicyRules(internal_domains=frozenset({"office.example", ".below.example"}))
    assert (domain_of(rules, recipient=recipient) is not None) == counts


@pytest.mark.parametrize("stage", ["CONNECT", "HELO", "EHLO", "VRFY", "ETRN", "", "UNHEARD-OF"])
def test_before_there_is_a_mail_nothing_counts(stage: str) -> None:
    assert domain_of(stage=stage) is None


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "BDAT", "END-OF-MESSAGE"])
def test_at_every_stage_of_a_mail_it_may_be_decided(stage: str) -> None:
    assert domain_of(stage=stage) == "shop.example"


def asked(units: int) -> SendRequest:
    return SendRequest(
        domain="shop.example", units=units, mail_server=True, senders=("ann@shop.example",),
        recipients=("bob@inbox.example",),
    )  # fmt: skip


def test_the_units_are_the_recipients_as_far_as_they_are_known() -> None:
    assert send_request_of(request(stage="END-OF-MESSAGE", recipient_count=7), RULES) == asked(7)
    assert send_request_of(request(), RULES) == asked(1)


def test_the_login_is_asked_about_before_the_sender() -> None:
    def senders(**told: object) -> tuple[str, ...]:
        asked = send_request_of(request(**told), RULES)
        return () if asked is None else asked.senders

    assert senders(sasl_username="Root@office.example") == ("root@office.example", "ann@shop.example")
    assert senders(sasl_username="ann@shop.example") == ("ann@shop.example",)
    assert senders(sasl_username="ann", sender="Ann@Shop.example") == ("ann@shop.example",)


def test_the_same_instance_of_two_mail_servers_is_two_mails() -> None:
    told = request(instance="1.2.3")
    one, other = (send_request_of(told, RULES, asker) for asker in ("192.0.2.1", "192.0.2.2"))
    assert one is not None
    assert other is not None
    assert one.instance != other.instance
    assert one == send_request_of(told, RULES, "192.0.2.1")


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("1a2b.65f0c0de.f423f.0", 0x65F0C0DE * 1_000_000 + 999_999),
        ("1a2b.65f0c0de", 0),
        ("1a2b.noon.3.0", 0),
        ("1a2b.-65f0c0de.3.0", 0),
        (f"1.{'f' * 200}.3.0", 0),
        ("9", 0),
    ],
)
def test_the_instance_tells_when_postfix_named_the_mail(instance: str, expected: int) -> None:
    asked = send_request_of(request(instance=instance), RULES, "192.0.2.1")
    assert asked is not None
    assert asked.named_at == expected


def test_no_instance_stays_none() -> None:
    asked = send_request_of(request(instance=""), RULES, "192.0.2.1")
    assert asked is not None
    assert asked.instance == ""


def verdict(reason: Reason | None = None, *, allowed: bool = False) -> Verdict:
    soft = allowed and reason is not None
    return Verdict(domain="shop.example", allowed=allowed, reason=reason, soft=soft, sent_today=501, sent_month=900)


def test_what_may_pass_is_left_to_the_other_rules_of_postfix() -> None:
    assert action(verdict(allowed=True), "RCPT", RULES) == "DUNNO"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.SUSPENDED, "REJECT 5.7.1 shop.example may not send at present (outbound_suspended)"),
        (Reason.UNVERIFIED, "REJECT 5.7.1 shop.example has not been verified yet (domain_not_verified)"),
        (Reason.MONTHLY, "REJECT 5.7.1 shop.example has reached its monthly limit (monthly_limit_exceeded)"),
        (Reason.DAILY, "DEFER 4.7.1 shop.example has reached its daily limit (daily_limit_exceeded)"),
        (Reason.HOURLY, "DEFER 4.7.1 shop.example has reached its hourly limit (hourly_limit_exceeded)"),
        (Reason.WARMUP, "DEFER 4.7.1 shop.example has reached the limit of its warm-up (warmup_limit_exceeded)"),
        (
            Reason.MAILBOX,
            "DEFER 4.7.1 this mailbox of shop.example has reached its daily limit (mailbox_limit_exceeded)",
        ),
        (Reason.SPIKE, "DEFER 4.7.1 shop.example sends far more than it used to (spike_detected)"),
    ],
)
def test_a_refusal_says_whether_to_come_again_and_why(reason: Reason, expected: str) -> None:
    assert action(verdict(reason), "RCPT", RULES) == expected


def test_every_reason_says_how_it_is_refused() -> None:
    assert set(REFUSALS) == set(Reason)


def test_how_a_reason_is_refused_is_the_operators() -> None:
    rules = PolicyRules(refusals={**REFUSALS, Reason.DAILY: Refusal.REJECT})
    assert action(verdict(Reason.DAILY), "RCPT", rules).startswith("REJECT 5.7.1 ")
    assert action(verdict(Reason.HOURLY), "RCPT", rules).startswith("DEFER 4.7.1 ")


def test_a_softened_refusal_marks_the_mail_where_the_settings_say_so() -> None:
    marked = verdict(Reason.DAILY, allowed=True)
    told = "X-Mailvane-Quota: daily_limit_exceeded_soft; domain=shop.example; today=501; month=900"
    for stage in ("RCPT", "DATA"):
        assert action(marked, stage, PolicyRules(quota_header=True)) == f"PREPEND {told}"
        assert action(marked, stage, RULES) == f"INFO {told}", "recipients see every header"


def test_while_a_proof_is_pending_mail_may_come_again() -> None:
    pending = msgspec.structs.replace(verdict(Reason.UNVERIFIED), pending=True)
    told = "shop.example has not been verified yet (domain_not_verified)"
    assert action(pending, "RCPT", RULES) == f"DEFER 4.7.1 {told}"
    assert action(pending, "RCPT", PolicyRules(pending=Refusal.REJECT)) == f"REJECT 5.7.1 {told}"


def test_a_mail_that_is_complete_can_only_be_marked_in_the_log() -> None:
    assert action(verdict(Reason.DAILY, allowed=True), "END-OF-MESSAGE", RULES).startswith("INFO X-Mailvane-Quota: ")
