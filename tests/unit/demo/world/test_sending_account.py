"""The simulated account tells one story, however it is asked, and one of its domains ought to be stopped."""

from __future__ import annotations

import json

from mailvane_demo.world.sending_account import SHOP, SPAM_RUN, SendingAccount

START = 1_790_000_000_000
MINUTE = 60_000


def test_the_same_mails_come_in_one_portion_or_in_many() -> None:
    whole = list(SendingAccount(3, START).mailings(START, START + 2 * MINUTE))
    account = SendingAccount(3, START)
    parts = [mail for at in range(0, 2 * MINUTE, 700) for mail in account.mailings(START + at, START + at + 700)]
    assert [mail for mail in parts if mail.at < START + 2 * MINUTE] == whole
    assert len(whole) > 100


def test_every_mail_is_told_of_as_the_service_does() -> None:
    account = SendingAccount(3, START)
    for mailing in account.mailings(START, START + MINUTE):
        told = [json.loads(text) for _, text in account.told(mailing)]
        assert told[0]["eventType"] == "Send"
        assert told[1]["eventType"] in {"Delivery", "Bounce"}
        assert {one["mail"]["destination"][0] for one in told} == {mailing.recipient}
        assert account.told(mailing) == account.told(mailing)


def test_the_spam_run_bounces_far_more_than_the_shop() -> None:
    account = SendingAccount(3, START)
    sent, bounced = {SHOP.name: 0, SPAM_RUN.name: 0}, {SHOP.name: 0, SPAM_RUN.name: 0}
    for mailing in account.mailings(START, START + 20 * MINUTE):
        if mailing.domain.name in sent:
            sent[mailing.domain.name] += 1
            bounced[mailing.domain.name] += any('"Bounce"' in text for _, text in account.told(mailing))
    assert bounced[SPAM_RUN.name] / sent[SPAM_RUN.name] > 0.05
    assert bounced[SHOP.name] / sent[SHOP.name] < 0.03
