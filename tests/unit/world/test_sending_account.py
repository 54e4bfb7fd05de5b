"""The simulated sending account: always the same story, and one that should be stopped."""

from __future__ import annotations

import json
from collections import Counter

from mailvane.world.sending_account import DOMAINS, SHOP, SPAM_RUN, Mailing, SendingAccount

START = 1_795_000_000_000
MINUTE = 60_000


def mailings(since: int = START, until: int = START + 10 * MINUTE, seed: int = 1) -> list[Mailing]:
    return list(SendingAccount(seed, START).mailings(since, until))


def kinds(told: list[tuple[int, str]]) -> list[str]:
    return [json.loads(text)["eventType"] for _, text in told]


def test_a_seed_tells_one_story_in_whatever_portions_it_is_asked_for() -> None:
    steps = (0, 999, 1000, 30_001, 2 * MINUTE, 10 * MINUTE)
    portions = [
        mailing
        for since, until in zip(steps, steps[1:], strict=False)
        for mailing in mailings(START + since, START + until)
    ]
    assert portions == mailings()
    assert portions != mailings(seed=2)


def test_each_domain_sends_at_its_pace() -> None:
    count = Counter(mailing.domain.name for mailing in mailings())
    for domain in DOMAINS:
        expected = domain.a_minute * (10 - domain.begins / MINUTE)
        assert 0.8 * expected < count[domain.name] < 1.2 * expected


def test_no_two_mails_of_a_domain_have_one_number() -> None:
    found = [(mailing.domain.name, mailing.number) for mailing in mailings()]
    assert len(set(found)) == len(found)


def test_every_mail_is_sent_and_then_delivered_or_bounced() -> None:
    account = SendingAccount(1, START)
    for mailing in mailings():
        told = account.told(mailing)
        assert kinds(told)[:2] in (["Send", "Delivery"], ["Send", "Bounce"])
        assert [at for at, _ in told] == sorted(at for at, _ in told)
        assert told[0][0] > mailing.at


def test_only_the_spam_run_bounces_beyond_what_is_tolerated() -> None:
    account = SendingAccount(1, START)
    found = mailings(until=START + 60 * MINUTE)
    for domain, stopped in ((SHOP, False), (SPAM_RUN, True)):
        told = [kinds(account.told(mailing)) for mailing in found if mailing.domain is domain]
        assert (sum("Bounce" in each for each in told) / len(told) > 0.03) is stopped
