"""Who gets through the gate: messages of allowed topics, recent, signed by SNS. All others change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mailvane.outbound.ses.fetching import Refused, Unreachable
from mailvane.outbound.ses.sns import WINDOW_MS, SnsGate
from mailvane_demo.world.certificate_authority import Signer, root, signer
from mailvane_demo.world.sns_topic import SnsTopic
from tests.unit.outbound.ses.conftest import ACCOUNT_TOPICS, HOST, NOW, Internet


def forged(body: bytes, **changed: Any) -> bytes:
    return json.dumps(json.loads(body) | changed).encode()


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "", "Amazon SES Email Event Notification", "Unzustellbar 📮 ä", "📮"])
def test_a_notification_that_sns_signed_is_admitted(
    gate: SnsGate, topic: SnsTopic, version: str, subject: str | None
) -> None:
    body = msgspec.structs.replace(topic, version=version).notification("späte Post\n", NOW, "a", subject)
    assert gate.admit(body, NOW).message == "späte Post\n"


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_that_sns_signed_is_admitted(gate: SnsGate, topic: SnsTopic, version: str, kind: str) -> None:
    body = msgspec.structs.replace(topic, version=version).confirmation(NOW, "a", kind)
    assert gate.admit(body, NOW).type == kind


@pytest.mark.parametrize(
    "changed",
    [
        {"Message": "another"},
        {"MessageId": "another"},
        {"Subject": "another"},
        {"Timestamp": "2026-11-18T10:26:41.000Z"},
        {"TopicArn": f"{ACCOUNT_TOPICS[:-1]}another"},
        {"Signature": "AAAA"},
        {"Signature": "not base64!"},
        {"SignatureVersion": "1"},
    ],
)
def test_whatever_is_changed_breaks_the_signature(gate: SnsGate, topic: SnsTopic, changed: dict[str, str]) -> None:
    body = forged(topic.notification("text", NOW, "a"), **changed)
    with pytest.raises(Refused, match="signature"):
        gate.admit(body, NOW)


@pytest.mark.parametrize("field", ["Token", "SubscribeURL"])
def test_the_address_and_token_of_a_confirmation_are_signed(gate: SnsGate, topic: SnsTopic, field: str) -> None:
    with pytest.raises(Refused, match="signature"):
        gate.admit(forged(topic.confirmation(NOW, "a"), **{field: f"https://{HOST}/?x"}), NOW)


def test_an_unknown_signature_version_is_refused(gate: SnsGate, topic: SnsTopic) -> None:
    with pytest.raises(Refused, match="version '3'"):
        gate.admit(forged(topic.notification("text", NOW, "a"), SignatureVersion="3"), NOW)


def test_another_key_under_a_trusted_certificate_is_refused(gate: SnsGate, topic: SnsTopic, authority: Signer) -> None:
    impostor = signer(NOW, authority, ["sns.amazonaws.com"])
    with pytest.raises(Refused, match="signature"):
        gate.admit(msgspec.structs.replace(topic, signer=impostor).notification("text", NOW, "a"), NOW)


def test_a_certificate_from_a_foreign_host_is_not_even_fetched(
    gate: SnsGate, topic: SnsTopic, internet: Internet
) -> None:
    body = topic.notification("text", NOW, "a")
    for url in (
        "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/a.pem",
        f"http://{HOST}/a.pem",
        f"https://{HOST}:8443/a.pem",
        f"https://evil@{HOST}/a.pem",
        f"https://{HOST}@evil.example/a.pem",
        f"https://{HOST}/a.crt",
        f"https://{HOST}/a?b.pem",
        "https://s3.eu-central-1.amazonaws.com/a.pem",
        "https://sns.amazonaws.com/a.pem",
    ):
        with pytest.raises(Refused, match="not"):
            gate.admit(forged(body, SigningCertURL=url), NOW)
    assert internet.asked == []


def test_a_topic_that_is_not_allowed_is_refused_before_anything_is_fetched(
    gate_for: Callable[..., SnsGate], topic: SnsTopic, internet: Internet
) -> None:
    other = msgspec.structs.replace(topic, account="999999999999")
    for gate in (gate_for(), gate_for(other.arn), gate_for(f"{ACCOUNT_TOPICS[:-1]}other")):
        with pytest.raises(Refused, match="not among the allowed"):
            gate.admit(topic.notification("text", NOW, "a"), NOW)
    assert internet.asked == []
    assert gate_for(other.arn, topic.arn).admit(topic.notification("text", NOW, "a"), NOW)


def test_a_message_counts_for_an_hour_before_and_after(gate: SnsGate, topic: SnsTopic) -> None:
    body = topic.notification("text", NOW, "a")
    assert gate.admit(body, NOW + WINDOW_MS)
    assert gate.admit(body, NOW - WINDOW_MS)
    for now in (NOW + WINDOW_MS + 1, NOW - WINDOW_MS - 1):
        with pytest.raises(Refused, match="an hour"):
            gate.admit(body, now)


def test_an_untrusted_authority_is_refused(gate: SnsGate, topic: SnsTopic, internet: Internet) -> None:
    stranger = signer(NOW, root(NOW), ["sns.amazonaws.com"])
    internet.pages[f"https://{HOST}/stranger.pem"] = stranger.pem
    body = msgspec.structs.replace(topic, signer=stranger, certificate="stranger.pem").notification("x", NOW, "a")
    with pytest.raises(Refused, match="not trusted"):
        gate.admit(body, NOW)


def test_a_certificate_that_cannot_be_fetched_now_asks_for_patience(
    gate: SnsGate, topic: SnsTopic, internet: Internet
) -> None:
    internet.pages[f"https://{HOST}/{topic.certificate}"] = Unreachable("away")
    with pytest.raises(Unreachable):
        gate.admit(topic.notification("text", NOW, "a"), NOW)


def test_a_subscription_is_confirmed_at_the_address_that_confirms_it(
    gate: SnsGate, topic: SnsTopic, internet: Internet
) -> None:
    body = topic.confirmation(NOW, "a")
    url = json.loads(body)["SubscribeURL"]
    internet.pages[url] = b"<ConfirmSubscriptionResponse/>"
    gate.confirm(gate.admit(body, NOW))
    assert internet.asked[-1] == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription",
        "https://127.0.0.1/?Action=ConfirmSubscription",
        f"https://{HOST}/?Action=DeleteTopic",
        f"https://{HOST}/?Action=ConfirmSubscription&Token=another",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
    ],
)
def test_another_address_is_not_visited_even_if_it_is_signed(
    gate: SnsGate, topic: SnsTopic, internet: Internet, url: str
) -> None:
    envelope = msgspec.structs.replace(gate.admit(topic.confirmation(NOW, "a"), NOW), subscribe_url=url)
    before = list(internet.asked)
    with pytest.raises(Refused):
        gate.confirm(envelope)
    assert internet.asked == before


def test_a_notification_confirms_nothing(gate: SnsGate, topic: SnsTopic) -> None:
    with pytest.raises(Refused):
        gate.confirm(gate.admit(topic.notification("text", NOW, "a"), NOW))
