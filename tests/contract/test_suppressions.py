"""The suppression list and holds: what puts addresses there, who is spared, and how long, on both ledgers."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, MailKind, ReasonFamily, SourceCursor
from mailvane.maillog.recording import Recorder
from mailvane.outbound.holds import HoldKind, Holds
from mailvane.outbound.model import Domain, LimitKind, Reason, SendRequest, Verdict
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.suppression import (
    NO_SUPPRESSION,
    SuppressionMode,
    SuppressionReason,
    SuppressionRules,
    listed_form,
)
from mailvane.outbound.suppression_list import Said, SuppressionList, as_csv
from mailvane.server.ledger import Ledger
from tests.contract.deciding import JUDGE, NOW, added, usages
from tests.unit.maillog.watched_maillog import WatchedMailLog

REFUSE = SuppressionRules(mode=SuppressionMode.REFUSE)
WARN = SuppressionRules(mode=SuppressionMode.WARN)
BOUNCED, COMPLAINED = SuppressionReason.BOUNCED, SuppressionReason.COMPLAINED
UNSUBSCRIBED, MANUAL = SuppressionReason.UNSUBSCRIBED, SuppressionReason.MANUAL


def the_list(ledger: Ledger, rules: SuppressionRules = REFUSE) -> SuppressionList:
    return SuppressionList(ledger.suppressions, rules)


def event(happened: EventType, recipient: str, at: int = NOW, **more: Any) -> MailEvent:
    return MailEvent(
        relay=1, accepted_at=NOW, number=1, type=happened, at=at, recipient=recipient, source="mail.log", **more
    )


def no_such(recipient: str, at: int = NOW, **more: Any) -> MailEvent:
    told = {"hard": True, "family": ReasonFamily.UNKNOWN_USER, "reply": "550 no such user", **more}
    return event(EventType.BOUNCED, recipient, at, **told)


def record(ledger: Ledger, *events: MailEvent, workspace: int = 1, **more: Any) -> None:
    batch = EventBatch(f"t{len(events)}{events[0].recipient}{events[0].at}", workspace, 0, list(events))
    ledger.journal.commit(JournalEntry(batch=batch, **more), NOW)


def reasons(ledger: Ledger, address: str, workspace: int = 1) -> list[SuppressionReason]:
    return [each.reason for each in the_list(ledger).of(workspace, address, NOW)]


def ask(
    ledger: Ledger, *recipients: str, rules: SuppressionRules = REFUSE, now: int = NOW, **more: Any
) -> Verdict:  # fmt: skip
    said = {"domain": "ours.example", "mail_server": True, **more}
    request = SendRequest(recipients=tuple(map(listed_form, recipients)), **said)
    return ledger.domains.decide([request], now, JUDGE, None, rules)[0]


@pytest.fixture
def ours(ledger: Ledger) -> Domain:
    workspace = ledger.tenants.add_workspace("ours", NOW).id
    return added(ledger, Domain(id=0, workspace=workspace, name="ours.example", created_at=NOW, daily_limit=5))


def test_the_log_puts_on_the_list_what_is_said_of_the_address_and_nothing_else(ledger: Ledger) -> None:
    record(
        ledger,
        no_such("Gone@Shop.Example"),
        no_such("full@shop.example", family=ReasonFamily.MAILBOX_FULL),
        no_such("policy@shop.example", family=ReasonFamily.POLICY),
        no_such("spam@shop.example", family=ReasonFamily.SPAM),
        no_such("soft@shop.example", hard=False),
        no_such("probed@shop.example", kind=MailKind.PROBE),
        no_such("author@shop.example", kind=MailKind.NOTIFICATION),
        event(EventType.DEFERRED, "later@shop.example", family=ReasonFamily.UNKNOWN_USER),
        event(EventType.COMPLAINED, "angry@shop.example"),
        event(EventType.UNSUBSCRIBED, "away@shop.example"),
        event(EventType.DELIVERED, "there@shop.example"),
    )
    found = the_list(ledger).page(1, NOW)
    assert [(each.address, each.reason) for each in found] == [
        ("angry@shop.example", COMPLAINED),
        ("away@shop.example", UNSUBSCRIBED),
        ("gone@shop.example", BOUNCED),
    ]
    assert (found[2].source, found[2].note) == ("mail.log", "550 no such user")
    assert the_list(ledger).page(2, NOW) == [], "another workspace"


def test_what_is_seen_again_counts_once_and_only_later_news_counts(ledger: Ledger) -> None:
    record(ledger, no_such("gone@shop.example", reply="first"), event_ids=("1",))
    record(ledger, no_such("gone@shop.example", NOW - DAY_MS, reply="older"))
    record(ledger, no_such("gone@shop.example", NOW + 5, reply="again"), event_ids=("1",))
    (one,) = the_list(ledger).of(1, "gone@shop.example", NOW)
    assert (one.noticed_at, one.note) == (NOW, "first")
    record(ledger, no_such("gone@shop.example", NOW + 1, reply="a"), no_such("GONE@shop.example", NOW + 9, reply="b"))
    (one,) = the_list(ledger).of(1, "gone@shop.example", NOW)
    assert (one.noticed_at, one.note) == (NOW + 9, "b")


def test_events_that_went_to_the_mail_log_before_their_cursor_are_seen_too(ledger: Ledger) -> None:
    cursor = SourceCursor("postfix:1", "f", "mail.log", 10, 1, b"", NOW)
    batch = EventBatch("t", 1, 0, [no_such("gone@shop.example")])
    Recorder(ledger.journal, WatchedMailLog()).store(JournalEntry(batch=batch, cursor=cursor), NOW)
    assert reasons(ledger, "gone@shop.example") == [BOUNCED]


def test_a_suppressed_recipient_is_refused_and_the_others_are_not(ledger: Ledger, ours: Domain) -> None:
    the_list(ledger).add(ours.workspace, "Gone@Shop.example", Said(), NOW)
    assert ask(ledger, "there@shop.example", instance="1").allowed
    refused = ask(ledger, "GONE@shop.EXAMPLE.", instance="1")
    assert (refused.allowed, refused.reason, refused.suppressed_by) == (False, Reason.SUPPRESSED, "manual")
    assert (refused.sent_today, refused.known) == (1, True)
    assert ask(ledger, "also@shop.example", instance="1").allowed
    assert ask(ledger, instance="1", units=2).allowed, "at the end of the message"
    assert usages(ledger, "ours.example")["ours.example"].sent_today == 1


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("ann@shop.example", '"Ann"@shop.example'),
        ('"ann b"@shop.example', "ann b@shop.example"),
        ("ann@büro.example", "ann@xn--bro-hoa.example"),
        ("ann@xn--bro-hoa.example", "ANN@BÜRO.example"),
        ("Ann+tag@shop.example", "ann+TAG@Shop.Example"),
    ],
    ids=str,
)
def test_two_spellings_of_one_address(ledger: Ledger, ours: Domain, listed: str, asked: str) -> None:
    the_list(ledger).add(ours.workspace, listed, Said(), NOW)
    assert ask(ledger, asked).reason is Reason.SUPPRESSED
    assert ask(ledger, "ann@other.example").allowed


def test_what_is_off_passes_and_what_warns_marks(ledger: Ledger, ours: Domain) -> None:
    the_list(ledger).add(ours.workspace, "gone@shop.example", Said(reason=COMPLAINED), NOW)
    assert ask(ledger, "gone@shop.example", rules=NO_SUPPRESSION).reason is None
    marked = ask(ledger, "gone@shop.example", rules=WARN)
    assert (marked.allowed, marked.word, marked.suppressed_by) == (True, "recipient_suppressed_soft", "complained")
    for _ in range(3):
        ask(ledger, "there@shop.example")
    assert ask(ledger, "gone@shop.example", rules=WARN).reason is Reason.DAILY, "a limit refuses it all the same"


def test_the_list_is_that_of_the_workspace_whose_domain_sends(ledger: Ledger, ours: Domain) -> None:
    theirs = ledger.tenants.add_workspace("theirs", NOW).id
    the_list(ledger).add(theirs, "gone@shop.example", Said(), NOW)
    assert ask(ledger, "gone@shop.example").allowed
    the_list(ledger).add(ours.workspace, "gone@shop.example", Said(), NOW)
    assert not ask(ledger, "gone@shop.example").allowed
    assert ask(ledger, "gone@shop.example", domain="unknown.example").allowed, "of no workspace"


def test_each_reason_ends_by_itself(ledger: Ledger, ours: Domain) -> None:
    rules = SuppressionRules(mode=SuppressionMode.REFUSE, days={BOUNCED: 10, UNSUBSCRIBED: 0, MANUAL: 5})
    record(ledger, no_such("a@x.example"), workspace=ours.workspace)
    record(ledger, event(EventType.UNSUBSCRIBED, "b@x.example"), no_such("b@x.example"), workspace=ours.workspace)
    mine = the_list(ledger, rules)
    mine.add(ours.workspace, "c@x.example", Said(), NOW)
    mine.add(ours.workspace, "d@x.example", Said(expires_at=NOW + 30 * DAY_MS), NOW)

    def refused(days: int) -> str:
        later = NOW + days * DAY_MS
        told = [ask(ledger, f"{name}@x.example", rules=rules, now=later) for name in "abcd"]
        page = {each.address[0] for each in mine.page(ours.workspace, later)}
        assert page == {name for name, each in zip("abcd", told, strict=True) if not each.allowed}
        return "".join(name for name, each in zip("abcd", told, strict=True) if not each.allowed)

    assert [refused(days) for days in (1, 7, 12, 31, 5_000)] == ["abcd", "abd", "bd", "b", "b"]
    assert ask(ledger, "b@x.example", rules=rules).suppressed_by == "unsubscribed", "the stronger is told"
    ends = {each.reason: each.ends_at for each in mine.of(ours.workspace, "b@x.example", NOW)}
    assert ends == {UNSUBSCRIBED: None, BOUNCED: NOW + 10 * DAY_MS}


def test_a_bounce_does_not_move_an_end_that_somebody_set(ledger: Ledger) -> None:
    the_list(ledger).add(1, "a@x.example", Said(reason=BOUNCED, expires_at=NOW + DAY_MS), NOW)
    record(ledger, no_such("a@x.example", NOW + 5))
    (one,) = the_list(ledger).of(1, "a@x.example", NOW)
    assert (one.noticed_at, one.ends_at) == (NOW + 5, NOW + DAY_MS)


def test_who_is_spared_counts_once_for_a_mail(ledger: Ledger, ours: Domain) -> None:
    mine = the_list(ledger)
    mine.add(ours.workspace, "a@x.example", Said(reason=COMPLAINED), NOW)
    mine.add(ours.workspace, "b@x.example", Said(), NOW)
    for stage in range(2):
        ask(ledger, "a@x.example", instance="1", is_look=not stage)
    ask(ledger, "b@x.example", instance="1")
    ask(ledger, "a@x.example", instance="2", now=NOW + DAY_MS)
    ask(ledger, "a@x.example", instance="3", rules=WARN)
    ask(ledger, "a@x.example", "b@x.example", mail_server=False)
    requests = [SendRequest(domain="ours.example", recipients=("b@x.example",), instance=name) for name in "xxyy"]
    ledger.domains.decide(requests, NOW, JUDGE, None, REFUSE)
    found = {each.address: (each.spared, each.warned) for each in mine.page(ours.workspace, NOW)}
    assert found == {"a@x.example": (3, 1), "b@x.example": (4, 0)}
    summary = mine.summary(ours.workspace, NOW + DAY_MS)
    assert (summary.spared, summary.warned) == (7, 1)
    assert summary.addresses == {COMPLAINED: 1, MANUAL: 1}
    assert mine.summary(ours.workspace, NOW + DAY_MS, days=1).spared == 1


def test_who_asks_over_http_under_a_key_is_answered_as_before(ledger: Ledger, ours: Domain) -> None:
    asked: dict[str, Any] = {"mail_server": False, "key": "k", "content": b"c"}
    assert ask(ledger, "a@x.example", **asked).allowed
    the_list(ledger).add(ours.workspace, "a@x.example", Said(), NOW)
    assert ask(ledger, "a@x.example", **asked).allowed
    assert ask(ledger, "a@x.example", **asked | {"key": "other"}).reason is Reason.SUPPRESSED
    assert usages(ledger, "ours.example")["ours.example"].sent_today == 1


def test_pages_and_removal(ledger: Ledger) -> None:
    mine = the_list(ledger)
    for name in "abcde":
        mine.add(1, f"{name}@x.example", Said(), NOW)
    mine.add(1, "b@x.example", Said(reason=COMPLAINED), NOW)
    pages, after = [], ""
    while page := mine.page(1, NOW, after=after, limit=3):
        pages.append([each.address[0] for each in page])
        after = page[-1].address
    assert pages == [["a", "b", "b"], ["c", "d", "e"]]
    assert len(mine.page(1, NOW, reason=COMPLAINED)) == 1
    mine.remove(1, "B@x.example", COMPLAINED)
    assert reasons(ledger, "b@x.example") == [MANUAL]
    mine.remove(1, "b@x.example")
    for refused, error in (("b@x.example", NotFound), ("nobody", InvalidInput)):
        with pytest.raises(error):
            mine.remove(1, refused)


def test_a_file_comes_in_and_goes_out_as_it_was(ledger: Ledger) -> None:
    mine = the_list(ledger)
    text = (
        "Email,Reason,Created,note\r\n"
        "Ann@X.example,Bounce,2026-09-02T03:04:05Z,\r\n"
        '"""odd name""@x.example",spam complaint,,\r\n'
        'bob@x.example,,1767000000,"a, b"\r\n'
        "nobody,bounce,,\r\n\r\n"
        "carl@x.example,whatever,,\r\n"
        "dora@x.example,unsubscribe,yesterday,\r\n"
    )
    done = mine.take_csv(1, text.replace("spam complaint", "complaint").splitlines(), NOW, "list.csv")
    assert (done.taken, done.refused) == (3, 3)
    assert [each.line for each in done.first_refused] == [5, 7, 8]
    rows = [list(map(str, row)) for row in mine.csv_rows(1, NOW)]
    assert [row[:2] for row in rows] == [
        ["ann@x.example", "bounced"], ["bob@x.example", "manual"], ['"odd name"@x.example', "complained"],
    ]  # fmt: skip
    again = mine.take_csv(2, as_csv(rows).splitlines(), NOW, "list.csv")
    assert (again.taken, again.refused) == (3, 0)
    kept = [0, 1, 2, 3, 5]
    assert [[str(row[each]) for each in kept] for row in mine.csv_rows(2, NOW)] == [
        [row[each] for each in kept] for row in rows
    ]
    assert mine.take_csv(3, ["a@x.example", "b@x.example", "a@x.example"], NOW, "plain").taken == 3
    assert len(mine.page(3, NOW)) == 2
    with pytest.raises(InvalidInput, match="names no column"):
        mine.take_csv(3, ["name,age"], NOW, "other")


def test_a_removed_workspace_leaves_nothing(ledger: Ledger, ours: Domain) -> None:
    the_list(ledger).add(ours.workspace, "a@x.example", Said(), NOW)
    ask(ledger, "a@x.example")
    found = ledger.tenants.workspace(ours.workspace)
    assert found is not None
    ledger.tenants.remove_workspace(found, NOW)
    assert the_list(ledger).page(ours.workspace, NOW) == []
    assert the_list(ledger).summary(ours.workspace, NOW).days == ()


def test_a_held_domain_or_login_is_held_until_it_is_released(ledger: Ledger, ours: Domain) -> None:
    holds = Holds(ledger.holds)
    holds.hold(HoldKind.DOMAIN, "Ours.Example", "test", NOW, "looks odd")
    holds.hold(HoldKind.LOGIN, "Deploy", "test", NOW)
    assert [(each.kind, each.name) for each in holds.all()] == [("domain", "ours.example"), ("login", "deploy")]
    held = ask(ledger, "a@x.example", instance="1")
    assert (held.allowed, held.held, held.login_held, held.reason) == (True, True, False, Reason.HELD)
    other = ask(ledger, domain="unknown.example", login="deploy")
    assert (other.login_held, other.known) == (True, False)
    assert not ask(ledger, domain="unknown.example", login="ann").held
    by_http = ask(ledger, mail_server=False)
    assert (by_http.allowed, by_http.reason) == (False, Reason.HELD)
    assert usages(ledger, "ours.example")["ours.example"].sent_today == 1, "what is held will leave, and counts"
    SendLimits(ledger.send_limits).set(LimitKind.LOGIN, "deploy", {"daily": 0})
    assert ask(ledger, login="deploy").reason is Reason.LOGIN, "what a limit refuses is refused"
    assert holds.release(HoldKind.DOMAIN, "OURS.example") == "ours.example"
    assert ask(ledger, "a@x.example", instance="1").reason is None
    with pytest.raises(NotFound):
        holds.release(HoldKind.DOMAIN, "ours.example")
    for name in ("*", "no domain"):
        with pytest.raises(InvalidInput):
            holds.hold(HoldKind.DOMAIN, name, "test", NOW)


def test_a_suppressed_recipient_of_held_mail_is_refused(ledger: Ledger, ours: Domain) -> None:
    Holds(ledger.holds).hold(HoldKind.DOMAIN, "ours.example", "test", NOW)
    the_list(ledger).add(ours.workspace, "a@x.example", Said(), NOW)
    assert not ask(ledger, "a@x.example", instance="1").allowed
    assert ask(ledger, "b@x.example", instance="1").held
