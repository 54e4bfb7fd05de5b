"""What the simulated topic publishes has the fields that Amazon describes. Who believes it is another matter."""

from __future__ import annotations

import json

from mailvane_demo.world.certificate_authority import root
from mailvane_demo.world.sns_topic import SnsTopic, stamp

NOW = 1_795_000_000_007
TOPIC = SnsTopic(signer=root(NOW))


def test_a_notification_has_the_fields_of_one() -> None:
    told = json.loads(TOPIC.notification("text", NOW, "key", "subject"))
    assert set(told) == {
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp",
        "SignatureVersion", "Signature", "SigningCertURL",
    }  # fmt: skip
    assert told["Timestamp"] == stamp(NOW)
    assert "Subject" not in json.loads(TOPIC.notification("text", NOW, "key"))


def test_a_key_gives_the_same_id_again() -> None:
    first, second, other = (json.loads(TOPIC.notification("text", NOW, key))["MessageId"] for key in "aab")
    assert first == second != other


def test_a_confirmation_names_where_to_confirm() -> None:
    told = json.loads(TOPIC.confirmation(NOW, "key"))
    assert told["SubscribeURL"].startswith("https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription")
    assert told["Token"] in told["SubscribeURL"]


def test_times_have_milliseconds() -> None:
    assert stamp(NOW) == "2026-11-18T11:06:40.007Z"
