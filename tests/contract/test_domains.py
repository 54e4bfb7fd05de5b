"""Domains, their counters and every decision, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import islice
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from mailvane.core.errors import NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.counters import day_reset, month_reset, today
from mailvane.outbound.model import (
    AuditEntry,
    Counting,
    Domain,
    Enforcement,
    Guillotine,
    MinuteOfDecisions,
    OutboundStatus,
    Reason,
    Revision,
    SendRequest,
    Tier,
    Usage,
    Verdict,
    Verification,
    WarmupProfile,
)
from mailvane.outbound.store.tables import answers, decision_minutes, feedback_ids
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.deciding import GROUP, JUDGE, NOW, allowed_of, decide_until_killed, decisions, usages
from tests.contract.deciding import added as new_domain
from tests.depth import rounds
from tests.processes import FORKING

ROUNDS = rounds(6, deep=20)


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("acme", NOW).id


def added(ledger: Ledger, workspace: int, name: str = "a.example", **fields: object) -> Domain:
    fresh = Domain(id=0, workspace=workspace, name=name, created_at=NOW)
    return new_domain(ledger, msgspec.structs.replace(fresh, **fields))


def ask(ledger: Ledger, *names: str, now: int = NOW, instance: str = "") -> list[Verdict]:
    return ledger.domains.decide([SendRequest(domain=name, instance=instance) for name in names], now, JUDGE)


def drop(ledger: Ledger, name: str = "a.example") -> None:
    ledger.domains.revise(name, lambda held: Revision(dropped=tuple(each.domain.id for each in held)))


def entry(action: str, name: str = "a.example") -> AuditEntry:
    return AuditEntry(domain=name, workspace=1, at=NOW, action=action, actor="key 7", evidence='{"why": "ö"}')


def test_a_new_ledger_knows_no_domain_and_no_period(ledger: Ledger) -> None:
    assert (ledger.domains.domains(), ledger.billing.periods(5)) == ([], [])


# -- domains


def test_a_domain_is_found_as_it_was_added(ledger: Ledger, workspace: int) -> None:
    told = added(
        ledger,
        workspace,
        tier=Tier.DEDICATED,
        enforcement=Enforcement.SOFT,
        daily_limit=10**15,
        monthly_limit=7,
        hourly_fraction=0.167,
        warmup_profile=WarmupProfile.CONSERVATIVE,
        spike_max_multiplier=2.5,
        counting=Counting.RECIPIENTS,
        verification=Verification.PENDING,
        verification_token="t=1",
        dkim_tokens=("a", "b", "c"),
        closed=True,
        guillotine=Guillotine(bounce_percent=5.5, confident=True),
    )
    assert told.id > 0
    assert ledger.domains.domain("a.example") == told
    assert ledger.domains.domain("b.example") is None


def test_domains_are_listed_the_newest_first_and_by_workspace(ledger: Ledger, workspace: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    first, second = added(ledger, workspace, "one.example"), added(ledger, other, "two.example")
    third = added(ledger, workspace, "three.example")
    assert ledger.domains.domains() == [third, second, first]
    assert ledger.domains.domains(workspace) == [third, first]
    assert ledger.domains.domains(999) == []


def test_a_domain_belongs_to_a_workspace(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    with pytest.raises(NotFound, match="workspace"):
        added(ledger, 999, "b.example")
    with pytest.raises(NotFound, match="workspace"):
        ledger.domains.change_domain(
            "a.example", lambda old: msgspec.structs.replace(old, workspace=999), entry("moved")
        )
    assert ledger.domains.audit("a.example", 5) == []


def test_a_change_and_its_audit_entry_come_together(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    ask(ledger, "a.example")
    changed = ledger.domains.change_domain(
        "a.example", lambda old: msgspec.structs.replace(old, daily_limit=5), entry("limits_changed")
    )
    assert (changed.daily_limit, ledger.domains.domain("a.example")) == (5, changed)
    assert ledger.domains.audit("a.example", 5) == [entry("limits_changed")]
    assert usages(ledger, "a.example")["a.example"].sent_today == 1

    def broken(_old: Domain) -> Domain:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ledger.domains.change_domain("a.example", broken, entry("never"))
    with pytest.raises(NotFound):
        ledger.domains.change_domain("b.example", lambda old: old, entry("never"))
    ledger.domains.change_domain("a.example", lambda old: old, None)
    assert ledger.domains.audit("a.example", 5) == [entry("limits_changed")]


def test_audit_entries_come_the_newest_first_and_outlive_the_domain(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    for action in ("suspended", "restored", "moved"):
        ledger.domains.change_domain("a.example", lambda old: old, entry(action))
    drop(ledger)
    assert [each.action for each in ledger.domains.audit("a.example", 2)] == ["moved", "restored"]


def test_of_a_dropped_domain_nothing_is_left_to_a_new_one_of_that_name(ledger: Ledger, workspace: int) -> None:
    old = added(ledger, workspace)
    ask(ledger, "a.example", instance="m1")
    ledger.billing.feedback("a.example", "n1", lambda domain, usage: (domain, usage, None), NOW)
    drop(ledger)
    assert ask(ledger, "a.example") == [Verdict(domain="a.example", allowed=True, known=False)]
    assert decisions(ledger, "a.example", 0, NOW * 2) == []
    new = added(ledger, workspace)
    assert new.id > old.id
    assert usages(ledger, "a.example") == {"a.example": Usage()}
    assert ask(ledger, "a.example", instance="m1")[0].sent_today == 1
    assert decisions(ledger, "a.example", 0, NOW * 2)[0].asked == 1
    assert ledger.billing.feedback("a.example", "n1", lambda domain, usage: (domain, usage, None), NOW)
    assert closed(ledger) == {"a.example": 2}, "what it owed is owed"


# -- decisions


def test_verdicts_come_in_the_order_of_the_questions(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace, daily_limit=2)
    added(ledger, workspace, "b.example", status=OutboundStatus.SUSPENDED)
    found = ask(ledger, "a.example", "b.example", "c.example", "a.example", "a.example")
    assert [(each.domain, each.allowed, each.reason, each.sent_today, each.known) for each in found] == [
        ("a.example", True, None, 1, True),
        ("b.example", False, Reason.SUSPENDED, 0, True),
        ("c.example", True, None, 0, False),
        ("a.example", True, None, 2, True),
        ("a.example", False, Reason.DAILY, 2, True),
    ]
    assert ledger.domains.decide([], NOW, JUDGE) == []


def test_counters_survive_and_every_other_opening_sees_them(ledger: Ledger, ledger_url: str, workspace: int) -> None:
    added(ledger, workspace)
    ask(ledger, "a.example", now=NOW - DAY_MS)
    ask(ledger, *["a.example"] * 3)
    other = open_ledger(ledger_url)
    usage = usages(other, "a.example", "b.example")
    assert list(usage) == ["a.example"]
    assert (usage["a.example"].sent_today, usage["a.example"].last_days) == (3, (1,))
    assert ask(other, "a.example")[0].sent_today == 4
    assert ask(ledger, "a.example")[0].sent_today == 5
    other.close()


def test_a_change_by_another_node_holds_for_the_next_decision(ledger: Ledger, ledger_url: str, workspace: int) -> None:
    added(ledger, workspace)
    assert ask(ledger, "a.example")[0].allowed
    other = open_ledger(ledger_url)
    other.domains.change_domain("a.example", lambda old: msgspec.structs.replace(old, daily_limit=1), None)
    other.close()
    assert ask(ledger, "a.example")[0].reason is Reason.DAILY


def test_sixty_four_threads_never_pass_a_limit(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace, daily_limit=1_000)
    added(ledger, workspace, "b.example")

    def some(number: int) -> int:
        names = ["a.example", "b.example"] if number % 2 else ["b.example", "a.example"]
        verdicts = [verdict for _ in range(10) for verdict in ask(ledger, *names, *names)]
        return sum(verdict.allowed for verdict in verdicts if verdict.domain == "a.example")

    with ThreadPoolExecutor(64) as threads:
        allowed = sum(threads.map(some, range(64)))
    assert allowed == 1_000
    usage = usages(ledger, "a.example", "b.example")
    assert (usage["a.example"].sent_today, usage["b.example"].sent_today) == (1_000, 1_280)


def test_two_processes_never_pass_a_limit(ledger: Ledger, ledger_url: str, workspace: int) -> None:
    added(ledger, workspace, daily_limit=1_000)
    with ProcessPoolExecutor(2, mp_context=FORKING) as processes:
        runs = [processes.submit(allowed_of, ledger_url, "a.example", 800) for _ in range(2)]
        each = [run.result() for run in runs]
    assert sum(each) == 1_000
    assert usages(ledger, "a.example")["a.example"].sent_today == 1_000


def test_an_answer_given_is_never_forgotten_whenever_the_process_is_killed(
    ledger: Ledger, ledger_url: str, workspace: int
) -> None:
    added(ledger, workspace)
    counted = answered = 0
    for number in range(ROUNDS):
        receiving, sending = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=decide_until_killed, args=(ledger_url, "a.example", sending))
        process.start()
        sending.close()
        answered += sum(islice(told(receiving), 1 + number))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        answered += sum(told(receiving))
        process.close()
        before, counted = counted, usages(ledger, "a.example")["a.example"].sent_today
        assert answered <= counted <= answered + GROUP * (number + 1), "of each round one group may be unanswered"
        assert counted > before
    asked = sum(minute.asked for minute in decisions(ledger, "a.example", 0, NOW + DAY_MS))
    assert asked == counted


def told(receiving: object) -> Iterator[int]:
    """What came through before the other end was closed."""
    while True:
        try:
            yield receiving.recv()  # type: ignore[attr-defined]
        except (EOFError, OSError):
            return


# -- instances


def test_the_same_mail_asked_about_again_is_answered_again_and_counted_once(
    ledger: Ledger, ledger_url: str, workspace: int
) -> None:
    added(ledger, workspace, daily_limit=3)
    first, again = ask(ledger, "a.example", "a.example", instance="7.1")
    assert first == again
    assert ask(ledger, "a.example", instance="7.2")[0].sent_today == 2
    other = open_ledger(ledger_url)
    assert ask(other, "a.example", instance="7.1") == [first]
    other.close()
    assert usages(ledger, "a.example")["a.example"].sent_today == 2
    assert [each.asked for each in decisions(ledger, "a.example", 0, NOW * 2)] == [2]


def test_a_refused_mail_asked_about_again_stays_refused(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace, daily_limit=1)
    ask(ledger, "a.example")
    refused = ask(ledger, "a.example", instance="7.1")
    ledger.domains.change_domain("a.example", lambda old: msgspec.structs.replace(old, daily_limit=0), None)
    assert ask(ledger, "a.example", instance="7.1") == refused
    assert ask(ledger, "a.example", instance="7.2")[0].allowed


def test_an_instance_names_a_mail_of_one_domain_only(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    added(ledger, workspace, "b.example")
    odd = "\udcff\x00" + "x" * 5_000
    ask(ledger, "a.example", "b.example", "c.example", instance=odd)
    ask(ledger, "a.example", "b.example", "c.example", instance=odd)
    assert {usage.sent_today for usage in usages(ledger, "a.example", "b.example").values()} == {1}


def test_one_mail_asked_about_by_many_at_once_counts_once(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: ask(ledger, "a.example", instance="7.1")[0], range(32)))
    assert len({(verdict.allowed, verdict.sent_today) for verdict in found}) == 1
    assert usages(ledger, "a.example")["a.example"].sent_today == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "", "1", "2", "3"]), st.integers(1, 4), st.booleans()),
        max_size=25,
    )
)
def test_decisions_are_the_same_whatever_the_grouping(ledger: Ledger, told: list[tuple[str, str, int, bool]]) -> None:
    workspace = ledger.tenants.add_workspace(uuid4().hex, NOW).id
    outcomes = []
    for split in (False, True, None):
        mark = uuid4().hex
        added(ledger, workspace, f"a.{mark}", daily_limit=4)
        added(ledger, workspace, f"b.{mark}", monthly_limit=6, counting=Counting.RECIPIENTS)
        added(ledger, workspace, f"c.{mark}", daily_limit=2, enforcement=Enforcement.SOFT)
        verdicts: list[Verdict] = []
        group: list[SendRequest] = []
        for letter, instance, units, ends in told:
            group.append(SendRequest(domain=f"{letter}.{mark}", units=units, instance=instance))
            if split or (split is None and ends):
                verdicts += ledger.domains.decide(group, NOW, JUDGE)
                group = []
        verdicts += ledger.domains.decide(group, NOW, JUDGE)
        names = [f"{letter}.{mark}" for letter in "abc"]
        usage = usages(ledger, *names)
        minutes = [[(each.asked, each.allowed) for each in decisions(ledger, name, 0, NOW * 2)] for name in names]
        plain = [msgspec.structs.replace(verdict, domain=verdict.domain[0]) for verdict in verdicts]
        outcomes.append((plain, [usage[name] for name in names], minutes))
    assert outcomes[0] == outcomes[1] == outcomes[2]


# -- what is recorded, and for how long


def test_decisions_are_recorded_minute_by_minute(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace, daily_limit=3, counting=Counting.RECIPIENTS)
    added(ledger, workspace, "b.example")
    start = NOW // 60_000 * 60_000
    for offset, units in ((0, 2), (59_999, 2), (60_000, 1), (180_000, 5)):
        ledger.domains.decide([SendRequest(domain="a.example", units=units)], start + offset, JUDGE)
    ask(ledger, "b.example")
    found = decisions(ledger, "a.example", start, start + 180_000)
    assert found == [
        MinuteOfDecisions(domain="a.example", minute=start, asked=4, allowed=2),
        MinuteOfDecisions(domain="a.example", minute=start + 60_000, asked=1, allowed=1),
    ]
    ledger.domains.decide([SendRequest(domain="a.example", units=2)], start + DAY_MS, JUDGE)
    own = next(each for each in ledger.domains.domains(workspace) if each.name == "a.example")
    day = start // DAY_MS * DAY_MS
    days = ledger.billing.decided_days(own.id, start, start + 2 * DAY_MS)
    assert days == {day: 3, day + DAY_MS: 2}
    assert ledger.billing.decided_days(own.id, start + 60_000, start + DAY_MS) == {day: 1}


def test_what_is_old_is_forgotten_a_little_at_a_time(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    unchanged = lambda domain, usage: (domain, usage, None)  # noqa: E731
    for number in range(40):
        ask(ledger, "a.example", now=NOW + number * 60_000, instance=f"old {number}")
        ledger.billing.feedback("a.example", f"old {number}", unchanged, NOW)
    later = NOW + 101 * DAY_MS
    for number in range(20):
        ask(ledger, "a.example", now=later + number * 60_000, instance=f"new {number}")
        ledger.billing.feedback("a.example", f"new {number}", unchanged, later)
    with ledger.database.read() as connection:
        kept = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (answers, decision_minutes, feedback_ids)
        ]
    assert kept == [20, 20, 20]


def test_threads_that_forget_at_once_do_not_block_each_other(ledger: Ledger, workspace: int) -> None:
    names = [f"d{number}.example" for number in range(8)]
    for name in names:
        added(ledger, workspace, name)
    for number in range(50):
        ask(ledger, *names, now=NOW + number * 60_000, instance=str(number))
    later = NOW + 101 * DAY_MS

    def some(name: str) -> None:
        for number in range(25):
            ask(ledger, name, now=later + number * 60_000, instance=f"x{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(some, names))
    assert {usage.sent_today for usage in usages(ledger, *names).values()} == {25}


def test_a_clock_that_jumps_ahead_and_back_passes_no_limit(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace, daily_limit=3, monthly_limit=5)
    assert [each.allowed for each in ask(ledger, *["a.example"] * 4)] == [True] * 3 + [False]
    for ahead in (DAY_MS, 45 * DAY_MS, 3 * DAY_MS):
        ask(ledger, "a.example", now=NOW + ahead)
        found = ask(ledger, "a.example", now=NOW + 1)[0]
        assert (found.allowed, found.sent_today) == (False, 3)
    month = [each for ahead in (4, 5, 6) for each in ask(ledger, *["a.example"] * 3, now=NOW + ahead * DAY_MS)]
    assert max(each.sent_month for each in month) == 5
    assert month[-1].reason is Reason.MONTHLY


def test_what_watches_the_counters_stops_the_mail_after(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    ledger.billing.feedback(
        "a.example", "m1", lambda domain, usage: (domain, bounced(domain, today(usage, NOW))[1], None), NOW
    )

    def watch(domain: Domain, before: Usage, after: Usage, now: int) -> tuple[Domain, AuditEntry] | None:
        if after.sent_month < 2 or domain.status is OutboundStatus.SUSPENDED:
            return None
        assert (before.sent_month, now) == (1, NOW)
        return msgspec.structs.replace(domain, status=OutboundStatus.SUSPENDED), entry("suspended")

    passages = [SendRequest(domain=name) for name in ("a.example", "b.example", "a.example", "a.example")]
    found = ledger.domains.decide(passages, NOW, JUDGE, watch)
    assert [(each.known, each.reason) for each in found] == [
        (True, None),
        (False, None),
        (True, None),
        (True, Reason.SUSPENDED),
    ]
    assert ledger.domains.audit("a.example", 9) == [entry("suspended")]
    stopped = ledger.domains.domain("a.example")
    assert stopped is not None
    assert stopped.status is OutboundStatus.SUSPENDED


# -- feedback


def bounced(domain: Domain, usage: Usage) -> tuple[Domain, Usage, AuditEntry | None]:
    stopped = msgspec.structs.replace(domain, status=OutboundStatus.SUSPENDED)
    return stopped, msgspec.structs.replace(usage, bounces=usage.bounces + 1), entry("suspended")


def test_feedback_changes_domain_counters_and_audit_together(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    assert ledger.billing.feedback("a.example", "m1", bounced, NOW)
    changed = ledger.domains.domain("a.example")
    assert changed is not None
    assert changed.status is OutboundStatus.SUSPENDED
    assert usages(ledger, "a.example")["a.example"].bounces == 1
    assert ledger.domains.audit("a.example", 9) == [entry("suspended")]
    assert not ledger.billing.feedback("b.example", "m1", bounced, NOW)


def test_a_message_sent_five_times_at_once_counts_once(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    with ThreadPoolExecutor(5) as threads:
        first = list(threads.map(lambda _: ledger.billing.feedback("a.example", "m1", bounced, NOW), range(5)))
    assert sorted(first) == [False] * 4 + [True]
    assert usages(ledger, "a.example")["a.example"].bounces == 1
    assert len(ledger.domains.audit("a.example", 9)) == 1


def test_feedback_that_fails_can_come_again(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)

    def broken(_domain: Domain, _usage: Usage) -> tuple[Domain, Usage, AuditEntry | None]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ledger.billing.feedback("a.example", "m1", broken, NOW)
    assert ledger.billing.feedback("a.example", "m1", bounced, NOW)


# -- resets and billing


def test_a_daily_reset_renews_every_domain(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    added(ledger, workspace, "b.example")
    ask(ledger, "a.example", "b.example")
    assert ledger.billing.reset_day(partial(day_reset, now=NOW)) == 2
    assert {usage.sent_today for usage in usages(ledger, "a.example", "b.example").values()} == {0}
    assert usages(ledger, "a.example")["a.example"].sent_month == 1


def closed(ledger: Ledger, now: int = NOW, key: str | None = None) -> dict[str, int]:
    period = ledger.billing.close_month(now, key, partial(month_reset, now=now))
    bills: dict[str, int] = {}
    for each in period.domains:
        bills[each.name] = bills.get(each.name, 0) + each.sent_month
    return bills


def test_a_month_is_frozen_for_every_domain_and_kept(ledger: Ledger, workspace: int) -> None:
    default = ledger.tenants.add_workspace("default", NOW).id
    added(ledger, workspace, monthly_limit=500)
    added(ledger, default, "b.example")
    ask(ledger, *["a.example"] * 3)
    ledger.billing.feedback("a.example", "m1", bounced, NOW)
    period = ledger.billing.close_month(NOW, None, partial(month_reset, now=NOW))
    assert [(each.name, each.partner, each.sent_month, each.monthly_limit) for each in period.domains] == [
        ("a.example", "acme", 3, 500),
        ("b.example", None, 0, 0),
    ]
    assert (period.domains[0].bounces, period.domains[0].bounce_rate) == (1, 33.33)
    assert usages(ledger, "a.example")["a.example"].bounces == 0
    second = ledger.billing.close_month(NOW + 1, None, partial(month_reset, now=NOW))
    assert [each.sent_month for each in second.domains] == [0, 0]
    assert ledger.billing.periods(9) == [second, period]
    assert ledger.billing.periods(1) == [second]


def test_a_key_that_was_used_gives_the_same_period_and_changes_nothing(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    ask(ledger, "a.example")
    assert closed(ledger, key="2026-09") == {"a.example": 1}
    ask(ledger, "a.example")
    assert closed(ledger, NOW + 99, key="2026-09") == {"a.example": 1}
    assert usages(ledger, "a.example")["a.example"].sent_month == 1
    assert len(ledger.billing.periods(9)) == 1


@pytest.mark.parametrize("domains", [0, 3])
def test_of_freezes_with_one_key_at_once_one_is_made(ledger: Ledger, workspace: int, domains: int) -> None:
    names = [f"d{number}.example" for number in range(domains)]
    for name in names:
        added(ledger, workspace, name)
    ask(ledger, *names)
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: closed(ledger, key="k"), range(6)))
    assert found == [dict.fromkeys(reversed(names), 1)] * 6 or found == [dict.fromkeys(names, 1)] * 6
    assert len(ledger.billing.periods(9)) == 1


def test_a_freeze_that_comes_late_bills_the_month_before_too(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    ask(ledger, *["a.example"] * 5)
    month_later = NOW + 31 * DAY_MS
    ask(ledger, *["a.example"] * 2, now=month_later)
    assert today(usages(ledger, "a.example")["a.example"], month_later).sent_month == 2
    assert closed(ledger, month_later) == {"a.example": 7}
    assert closed(ledger, month_later) == {"a.example": 0}


def test_every_mail_is_billed_once_however_freezes_and_decisions_meet(ledger: Ledger, workspace: int) -> None:
    added(ledger, workspace)
    added(ledger, workspace, "b.example")

    def send(number: int) -> None:
        for step in range(20):
            ask(ledger, "b.example", "a.example", now=NOW + (number + step) * 36 * HOUR_MS)

    with ThreadPoolExecutor(6) as threads:
        sending = [threads.submit(send, number) for number in range(4)]
        frozen = [closed(ledger, NOW + number * DAY_MS) for number in range(10)]
        for each in sending:
            each.result()
    frozen.append(closed(ledger, NOW + 60 * DAY_MS))
    assert sum(each["a.example"] for each in frozen) == 80
    assert sum(each["b.example"] for each in frozen) == 80
