"""A complaint that comes before its mail is joined to it when the mail is there, once, on every pair of stores."""

from __future__ import annotations

import io

from mailvane.core.tenants.service import Tenancy
from mailvane.dmarc.intake import ReportIntake
from mailvane.dmarc.joining import Joining
from mailvane.dmarc.model import ReportQuestion
from mailvane.dmarc.readers.reading import read_reports
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent
from mailvane.maillog.queries import LogQuestion
from mailvane.maillog.recording import Recorder
from mailvane.outbound.complaints import Complaints
from mailvane.reputation.assets import WatchedAssets
from mailvane.server.ledger import Ledger
from tests.contract.maillogs import ledger_url, maillog_dsn
from tests.contract.new_stores import ledger, maillog
from tests.contract.test_ownership import NOW, dsn
from tests.unit.dmarc.reports import complaint

__all__ = ["dsn", "ledger", "ledger_url", "maillog", "maillog_dsn"]

DAY = 86_400_000
FIELDS = "Feedback-Type: abuse\r\nUser-Agent: isp/1\r\nVersion: 1\r\nOriginal-Rcpt-To: ann@one.example\r\n"
ORIGINAL = "Message-ID: <m1@shop.example>\r\nFrom: news@shop.example\r\nSubject: Sale\r\n\r\nBuy.\r\n"


def test_it_is_joined_once_and_stays_so_when_the_views_are_made_anew(
    ledger: Ledger, maillog: ClickHouseMailLog
) -> None:
    workspace = Tenancy(ledger.tenants, "").create_workspace("acme", NOW).id
    relay = ledger.tenants.add_relay(workspace, "", NOW).id
    recorder = Recorder(ledger.journal, maillog)
    joining = Joining(Complaints(lambda: maillog, recorder.record, ledger.tenants, None), ledger.unjoined)
    watched = WatchedAssets(ledger.assets, ledger.observations, lambda *_: None)
    intake = ReportIntake(ledger.reports, watched, read_reports, joining)
    (taken,) = intake.take(workspace, io.BytesIO(complaint(FIELDS, ORIGINAL)), "one.eml", NOW)
    assert (taken.new, taken.remarks) == (True, ("the mail log does not know the mail",))

    def mail_ids() -> list[str]:
        question = ReportQuestion(workspace=workspace, since=0, until=NOW * 2)
        return [each.data["complaint"]["mail_id"] for each in ledger.reports.abuse_reports(question).reports]

    sent = MailEvent(
        relay=relay, accepted_at=NOW - DAY, number=5, type=EventType.DELIVERED, at=NOW - DAY + 900,
        sender="news@shop.example", recipient="ann@one.example", recipient_number=1, message_id="<m1@shop.example>",
    )  # fmt: skip
    assert (joining.round(NOW + 60_000), mail_ids()) == (1, [""])
    recorder.record(JournalEntry(batch=EventBatch("log", workspace, 0, [sent])), NOW + 90_000)
    recorder.drain()
    ledger.unjoined.hasten(NOW + 90_000)
    assert [joining.round(NOW + 90_000), joining.round(NOW + 30 * DAY)] == [1, 0]
    recorder.drain()
    assert mail_ids() == [sent.mail_id]
    (again,) = intake.take(workspace, io.BytesIO(complaint(FIELDS, ORIGINAL)), "one.eml", NOW + DAY)
    assert (again.new, joining.round(NOW + 30 * DAY)) == (False, 0)
    recorder.drain()
    question = LogQuestion(workspace=workspace, relays=(relay,))
    before = maillog.search(question)
    assert [(each.mail_id, each.complained_at) for each in before.deliveries] == [(sent.mail_id, NOW)]
    maillog.rebuild()
    assert maillog.search(question) == before
    assert [each.type for each in maillog.mail_events(workspace, sent.key)].count(EventType.COMPLAINED) == 1
