"""How mail fares, by relay, on every mail log: counted as it is recorded, and what waits as it is looked up."""

from __future__ import annotations

import msgspec
from prometheus_client import CollectorRegistry

from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, MailKind
from mailvane.maillog.recording import Recorder
from mailvane.server.ledger import Ledger
from mailvane.server.mail_metrics import MailMetrics
from tests.contract.maillogs import ledger_url, maillog_dsn
from tests.contract.new_stores import ledger, maillog
from tests.contract.test_ownership import dsn

__all__ = ["dsn", "ledger", "ledger_url", "maillog", "maillog_dsn"]

NOW = 1_790_000_000_000
HOUR = 3_600_000


def events(relay: int) -> list[MailEvent]:
    """One delivered at once, one deferred twice, one untried, one bounced, one of the server's own; one refused."""

    def event(number: int, what: EventType, recipient: str = "ann@example.org", waiting: int = 0) -> MailEvent:
        at = NOW - (6 - number) * HOUR
        kind = MailKind.NOTIFICATION if number == 5 else MailKind.MAIL
        return MailEvent(
            relay=relay,
            accepted_at=at,
            number=number,
            type=what,
            at=at,
            recipient=recipient,
            waiting=waiting,
            kind=kind,
        )

    told = [event(1, EventType.ACCEPTED, "", waiting=1), event(1, EventType.DELIVERED, waiting=-1)]
    told += [event(2, EventType.ACCEPTED, "", waiting=1), event(2, EventType.DEFERRED, waiting=-1)]
    told += [event(2, EventType.DEFERRED), event(3, EventType.ACCEPTED, "", waiting=1)]
    told += [event(4, EventType.ACCEPTED, "", waiting=1), event(4, EventType.BOUNCED, waiting=-1)]
    told += [event(5, EventType.DELIVERED), event(6, EventType.REJECTED)]
    return told


def test_what_happened_is_counted_once_and_what_waits_is_looked_up(ledger: Ledger, maillog: ClickHouseMailLog) -> None:
    tenancy, registry = Tenancy(ledger.tenants, ""), CollectorRegistry()
    workspace = tenancy.create_workspace("acme", NOW).id
    busy, idle, former = (tenancy.create_relay(workspace, "", NOW) for _ in range(3))
    metrics = MailMetrics(registry)
    recorder = Recorder(ledger.journal, maillog, recorded=metrics.recorded)
    told = events(busy.id)
    ids = tuple(f"e{number}" for number in range(len(told)))
    for token in ("one", "again"):  # told twice, counted once
        recorder.record(JournalEntry(batch=EventBatch(token, workspace, 0, told), event_ids=ids), NOW)
    recorder.drain()
    metrics.look(maillog, tenancy, lambda: NOW)

    def value(name: str, relay: int, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"relay": str(relay), **labels})

    counted = {
        outcome: value("mailvane_mail_deliveries_total", busy.id, outcome=outcome)
        for outcome in ("delivered", "deferred", "bounced", "expired", "refused")
    }
    assert counted == {"delivered": 1, "deferred": 2, "bounced": 1, "expired": 0, "refused": 1}
    assert (value("mailvane_mail_waiting", busy.id), value("mailvane_mail_waiting", idle.id)) == (2, 0)
    assert value("mailvane_mail_waiting_oldest_seconds", busy.id) == 4 * 3600
    assert value("mailvane_mail_waiting_oldest_seconds", idle.id) == 0
    assert value("mailvane_mail_deliveries_total", idle.id, outcome="bounced") == 0
    tenancy.change_relay(msgspec.structs.replace(former, active=False))
    metrics.look(maillog, tenancy, lambda: NOW)
    assert value("mailvane_mail_waiting", former.id) is None
