"""What the ledger keeps of health reports, on both engines."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.health.collection import collect
from mailvane.inbound.health.local import ACTOR, OwnServer
from mailvane.inbound.health.model import (
    DayCounts,
    HealthReport,
    HeldMessage,
    Metrics,
    Reading,
    ReleaseState,
    Sender,
    TeamReport,
)
from mailvane.inbound.health.store.readings import MadeReport
from mailvane.inbound.model import Address, AddressType, Contact, ContactState, Message, MessageStatus, Team
from mailvane.inbound.quarantine import Quarantine
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.store.rows import NewMail
from mailvane.inbound.weeks import week_start
from mailvane.maillog.interface import MailLog
from mailvane.server.inbound import inbound_services
from mailvane.server.ledger import Ledger
from tests.wire.memory_maillog import MemoryMailLog

NOW = 1_795_766_400_000
HOUR = 3_600_000
DAY = "2026-11-27"
FRIEND = "friend@example.org"


def reading(at: int = NOW, team: str = "acme", **counts: int) -> Reading:
    return Reading(team=team, at=at, metrics=msgspec.convert(counts, Metrics), estimates=("failed_count",))


def held(number: int, sender: str = "friend@example.org") -> HeldMessage:
    return HeldMessage(id=f"message-{number}", sender=sender, state="whitelisted", subject="a\0b")


def test_the_newest_reading_of_a_day_is_kept(ledger: Ledger) -> None:
    readings = ledger.health.readings
    readings.keep(DAY, reading(NOW, failed_count=2, denied_count=0))
    readings.keep(DAY, reading(NOW - 1, failed_count=99))
    readings.keep("2026-11-26", reading(NOW - 24 * HOUR, failed_count=1))
    readings.keep(DAY, reading(NOW, team="other", failed_count=7))
    assert readings.days("acme", "2026-11-26") == (
        DayCounts("2026-11-26", {"failed_count": 1}, ("failed_count",)),
        DayCounts(DAY, {"failed_count": 2, "denied_count": 0}, ("failed_count",)),
    )
    assert readings.days("acme", DAY)[0].day == DAY
    newest = readings.newest("acme")
    assert newest is not None
    assert newest.metrics.failed_count == 2
    assert readings.newest("nobody") is None


def test_a_reading_that_says_nothing_replaces_none(ledger: Ledger) -> None:
    ledger.health.readings.keep(DAY, reading(failed_count=2))
    ledger.health.readings.keep(DAY, Reading(team="acme", at=NOW + 1, unknown={"failed_count": "dead"}))
    assert ledger.health.readings.days("acme", DAY)[0].counts == {"failed_count": 2}


def test_old_readings_and_reports_are_forgotten(ledger: Ledger) -> None:
    ledger.health.readings.keep(DAY, reading(failed_count=2))
    ledger.health.reports.keep_report(DAY, HealthReport(day=DAY, at=NOW, teams=()))
    assert ledger.health.readings.forget_readings(NOW) == 0
    assert ledger.health.readings.forget_readings(NOW + 1) == 2
    assert ledger.health.readings.days("acme", DAY) == ()


def test_a_report_is_made_once_and_told_to_each_channel_once(ledger: Ledger) -> None:
    reports = ledger.health.reports
    assert reports.made(DAY) is None
    first = HealthReport(day=DAY, at=NOW, teams=(TeamReport(reading=reading(failed_count=9), alerts=(":x: nine",)),))
    reports.keep_report(DAY, first)
    reports.keep_report(DAY, HealthReport(day=DAY, at=NOW + 1, teams=()))
    reports.told(DAY, "slack")
    reports.told(DAY, "mail a@b.example")
    reports.told(DAY, "slack")
    assert reports.made(DAY) == MadeReport(first, ("mail a@b.example", "slack"))


def test_no_more_than_the_budget_of_an_hour_is_reserved(ledger: Ledger) -> None:
    releases = ledger.health.releases
    first = releases.reserve("acme", [held(number) for number in range(5)], NOW, NOW - HOUR, 3)
    assert [one.message for one in first] == ["message-0", "message-1", "message-2"]
    for one in first:
        releases.settle(msgspec.structs.replace(one, state=ReleaseState.ACCEPTED))
    assert releases.reserve("acme", [held(9)], NOW + 1, NOW + 1 - HOUR, 3) == []
    assert len(releases.reserve("other", [held(9)], NOW + 1, NOW + 1 - HOUR, 3)) == 1
    assert len(releases.reserve("acme", [held(9)], NOW + HOUR, NOW, 3)) == 1


def test_what_was_released_or_undone_is_not_reserved_again(ledger: Ledger) -> None:
    releases = ledger.health.releases
    accepted, undone, failed, asked = releases.reserve("acme", [held(n) for n in range(4)], NOW, NOW - HOUR, 9)
    releases.settle(msgspec.structs.replace(accepted, state=ReleaseState.ACCEPTED))
    releases.settle(msgspec.structs.replace(undone, state=ReleaseState.UNDONE, detail="by a person"))
    releases.settle(msgspec.structs.replace(failed, state=ReleaseState.FAILED))
    again = releases.reserve("acme", [held(n) for n in range(4)], NOW + 1, NOW + 1 - HOUR, 9)
    assert [one.id for one in again] == [failed.id, asked.id]
    assert releases.held_back("acme") == {"friend@example.org"}
    assert releases.held_back("other") == frozenset()
    assert releases.release(undone.id).detail == "by a person"
    assert {one.state for one in releases.releases("acme")} == {
        ReleaseState.ACCEPTED, ReleaseState.UNDONE, ReleaseState.ASKED,
    }  # fmt: skip
    assert releases.releases("other") == []
    with pytest.raises(NotFound):
        releases.release("nothing")


def test_several_at_once_keep_one_budget(ledger: Ledger) -> None:
    def reserve(number: int) -> int:
        mine = [held(10 * number + each) for each in range(5)]
        return len(ledger.health.releases.reserve("acme", mine, NOW, NOW - HOUR, 7))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(reserve, range(4))) == 7


# -- this server's own figures


def own(ledger: Ledger, workspace: int) -> OwnServer:
    def maillog() -> AbstractContextManager[MailLog]:
        return nullcontext(MemoryMailLog())

    tenancy = Tenancy(ledger.tenants, "")
    services = inbound_services(ledger, tenancy, InboundSettings(), Path("nowhere"), maillog)
    quarantine = Quarantine(
        ledger.inbound, content=lambda _id: b"Subject: hello\r\n\r\n", learn=lambda _content, _is_spam: None
    )
    return OwnServer(replace(services, quarantine=quarantine), workspace, lambda: NOW)


def taken(
    ledger: Ledger, workspace: int, statuses: list[MessageStatus], sender: str = "friend@example.org"
) -> list[str]:
    """Messages of the gateway; their ids."""
    mails = [
        NewMail(
            workspace=workspace,
            messages=(
                Message(
                    id=ordered_uuid(NOW), workspace=workspace, number=number, received_at=NOW + number, status=status,
                    address=None, recipient="a@x.example", recipient_number=1, target="a@x.example", contact="",
                    sender=FRIEND, from_address=FRIEND, from_name="", subject=f"mail {number}", message_id="<1@x>",
                    client="192.0.2.1", client_name="", protocol="ESMTP", size=100, content=f"{number:064x}",
                ),
            ),
            events=(),
            week=week_start(NOW),
        )
        for number, status in enumerate(statuses)
    ]  # fmt: skip
    assert not any(ledger.inbound.messages.take_in(mails, NOW))
    return [mail.messages[0].id for mail in mails]


def test_its_figures_are_counts_of_one_workspace(ledger: Ledger) -> None:
    mine, other = (ledger.tenants.add_workspace(name, NOW).id for name in ("acme", "other"))
    held, failed, denied = MessageStatus.QUARANTINED, MessageStatus.FAILED, MessageStatus.DENIED
    taken(ledger, mine, [held] * 3 + [failed] * 2 + [denied, MessageStatus.DELIVERED])
    taken(ledger, other, [held] * 9)
    ledger.inbound.teams.save_team(Team(workspace=mine, weekly_limit=8, aliases_limit=4))
    box = Address(id=ordered_uuid(NOW), workspace=mine, type=AddressType.MAILBOX, address="box@x.example")
    ledger.inbound.addresses.add(box)
    found = asyncio.run(collect("acme", own(ledger, mine), 5, NOW))
    assert found.metrics == Metrics(
        weekly_used=7, weekly_limit=8, usage_pct=88, aliases_used=0, aliases_limit=4, mailboxes_used=1,
        quarantine_pending=3, failed_count=2, denied_count=1, top_senders=(Sender("friend@example.org", 7, "unset"),),
    )  # fmt: skip
    assert (found.estimates, found.unknown) == ((), {})


def test_its_messages_are_let_out_with_an_entry_in_its_audit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailvane.inbound.quarantine._PATIENCE", 0)  # nobody delivers here
    mine, other = (ledger.tenants.add_workspace(name, NOW).id for name in ("acme", "other"))
    first, second = taken(ledger, mine, [MessageStatus.QUARANTINED] * 2)
    (foreign,) = taken(ledger, other, [MessageStatus.QUARANTINED])

    def whitelisted(contact: Contact) -> Contact:
        return msgspec.structs.replace(contact, state=ContactState.WHITELISTED)

    ledger.inbound.contacts.change(mine, "friend@example.org", whitelisted)
    server = own(ledger, mine)
    assert asyncio.run(server.held(9)) == [
        HeldMessage(id=each, sender="friend@example.org", state="whitelisted", subject=f"mail {number}")
        for number, each in enumerate((first, second))
    ]
    assert asyncio.run(server.accept([first, foreign])) == {first: "", foreign: "not_found: There is no such message."}
    assert asyncio.run(server.reject([first])) == {first: "not_quarantined: Message is not in quarantine."}
    (entry,) = ledger.inbound.audit.page(mine).entries
    assert (entry.actor, entry.action, entry.subject) == (ACTOR, "accept", first)
    assert ledger.inbound.audit.page(other).total == 0
