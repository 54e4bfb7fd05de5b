"""Filters: what matches, which one decides, and what becomes of a mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import InvalidFields
from mailvane.inbound.filtering import FilteredMail, check_filter, deciding, matches
from mailvane.inbound.headers import read_headers
from mailvane.inbound.judging import Circumstances, Outcome, Thresholds, judge
from mailvane.inbound.model import ContactState, Filter, MessageStatus
from mailvane.inbound.scores import SpamScore, Symbol

CONTENT = (
    "From: =?utf-8?q?J=C3=B8rn?= <Shop@Sender.Example>\r\nSubject: Your INVOICE =?utf-8?b?w6TDtg==?=\r\n"
    "List-Id: <news.sender.example>\r\nX-Empty:\r\n\r\nPay now\r\n"
)
MAIL = FilteredMail(
    headers=read_headers(CONTENT.encode()),
    sender="bounce@sender.example",
    category="Shopping",
    score=SpamScore(value=4.5, symbols=(Symbol("BAYES_SPAM", 4.0),)),
    body="Pay now\r\n",
    size=1234,
)


def rule(*conditions: Mapping[str, str], match: str = "all", **values: Any) -> Filter:
    group = {"match": match, "conditions": list(conditions)}
    common = {"id": "1", "workspace": 1, "name": "f", "action": "deny", "groups": [group]}
    return msgspec.convert({**common, **values}, Filter)


def condition(text: str) -> dict[str, str]:
    """`component[:name] operator value`."""
    component, operator, *rest = text.split(" ", 2)
    component, _, name = component.partition(":")
    return {"component": component, "name": name, "operator": operator, "value": rest[0] if rest else ""}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("from equals shop@sender.example", True),
        ("from ends_with @sender.example", True),
        ("from starts_with shop", True),
        ("from_name equals j\u00f8rn", True),
        ("sender contains bounce", True),
        ("subject contains invoice", True),
        ("subject contains \u00e4\u00f6", True),
        ("subject not_contains invoice", False),
        ("subject not_equals invoice", True),
        (r"subject matches ^your\s+inv", True),
        ("subject matches ^inv", False),
        ("subject matches (", False),
        ("body contains PAY", True),
        ("header:list-id contains news", True),
        ("header:List-Id exists", True),
        ("header:X-None exists", False),
        ("header:X-None not_exists", True),
        ("header:X-Empty exists", False),
        ("header:X-None not_contains a", True),
        ("property:size greater_than 1000", True),
        ("category equals shopping", True),
        ("spam_score greater_than 4", True),
        ("spam_score greater_than 4.5", False),
        ("spam_score less_than 5", True),
        ("spam_symbol equals BAYES_SPAM", True),
        ("spam_symbol not_exists", False),
    ],
)
def test_a_condition_holds(text: str, holds: bool) -> None:
    assert matches(rule(condition(text)), MAIL) is holds


def test_an_unknown_score_is_neither_greater_nor_less() -> None:
    unknown = msgspec.structs.replace(MAIL, score=SpamScore())
    for text in ("spam_score greater_than -100", "spam_score less_than 100", "spam_score exists"):
        assert not matches(rule(condition(text)), unknown)
    assert matches(rule(condition("spam_score not_exists")), unknown)


def test_groups_are_joined_by_and() -> None:
    yes, no = condition("subject contains invoice"), condition("subject contains casino")
    assert matches(rule(yes, no, match="any"), MAIL)
    assert not matches(rule(yes, no), MAIL)
    both = [{"match": "any", "conditions": [yes, no]}, {"conditions": [no]}]
    assert not matches(rule(groups=both), MAIL)
    assert not matches(rule(groups=[]), MAIL), "an unfinished filter matches nothing"
    assert not matches(rule(groups=[{"conditions": []}]), MAIL)


def test_an_expression_that_never_ends_does_not_match() -> None:
    slow = msgspec.structs.replace(MAIL, body="a" * 40 + "!")
    assert not matches(rule(condition("body matches (a|a)*(a|aa)+$")), slow)


def test_the_first_that_matches_decides() -> None:
    yes = condition("subject contains invoice")
    off, elsewhere = rule(yes, id="off", active=False), rule(yes, id="elsewhere", address="other")
    here, later = rule(yes, id="here", address="this"), rule(yes, id="later")
    found = deciding([off, elsewhere, here, later], "this", MAIL)
    assert found is here
    assert deciding([off, elsewhere, later], "this", MAIL) is later
    assert deciding([off, elsewhere], "this", MAIL) is None


@pytest.mark.parametrize(
    "text",
    [
        "header exists",
        "subject greater_than 5",
        "spam_score greater_than high",
        "subject matches (",
        "subject contains",
    ],
)
def test_a_condition_that_cannot_be_evaluated_is_refused(text: str) -> None:
    with pytest.raises(InvalidFields):
        check_filter(rule(condition(text)))


ALLOW = rule(condition("subject contains invoice"), id="allow", action="allow")
DENY = rule(condition("subject contains invoice"), id="deny")


@pytest.mark.parametrize(
    ("state", "score", "dmarc", "filters", "status"),
    [
        ("unset", 4.9, "", [], "pending"),
        ("unset", None, "", [], "pending"),
        ("unset", 5.0, "", [], "quarantined"),
        ("unset", 9.9, "", [ALLOW], "pending"),
        ("unset", 10.0, "", [ALLOW], "rejected"),
        ("unset", 0.0, "", [DENY], "denied"),
        ("unset", 7.0, "", [DENY], "denied"),
        ("blocked", 0.0, "pass", [ALLOW], "denied"),
        ("whitelisted", 99.0, "", [], "pending"),
        ("whitelisted", 99.0, "pass", [DENY], "denied"),
        ("whitelisted", 7.0, "fail", [], "quarantined"),
        ("muted", 1.0, "", [], "pending"),
        ("prioritized", 7.0, "", [], "quarantined"),
    ],
)
def test_the_checks_have_an_order(
    state: str, score: float | None, dmarc: str, filters: list[Filter], status: str
) -> None:
    outcome = judged(state, score, dmarc, filters)
    assert outcome.status is MessageStatus(status)
    assert outcome.filter == (
        filters[0].id if filters and status in ("denied", "pending") and state != "blocked" else None
    )
    assert outcome.marks == (state if state in ("muted", "prioritized") and status == "pending" else "")


def test_a_whitelisted_contact_may_have_to_be_proven() -> None:
    for dmarc, status in (
        ("pass", MessageStatus.PENDING),
        ("", MessageStatus.QUARANTINED),
        ("none", MessageStatus.QUARANTINED),
    ):
        assert judged("whitelisted", 7.0, dmarc, [], needs_pass=True).status is status


def judged(state: str, score: float | None, dmarc: str, filters: list[Filter], needs_pass: bool = False) -> Outcome:
    return judge(
        Circumstances(
            mail=msgspec.structs.replace(MAIL, score=SpamScore(value=score)),
            state=ContactState(state),
            authentication={"dmarc": dmarc} if dmarc else {},
            thresholds=Thresholds(5.0, 10.0),
            address="this",
            filters=filters,
            whitelist_needs_pass=needs_pass,
        )
    )
