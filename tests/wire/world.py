"""A server with two workspaces: real ledger, real services, a mail log in memory, and a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from litestar import Litestar
from litestar.testing import TestClient
from msgspec import structs

from mailvane.core.dns.lookups import Lookups
from mailvane.core.tenants.model import KeyKind, Relay, Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.live.changes import Changes
from mailvane.dashboard.people.service import People
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.triage.service import Triage
from mailvane.inbound.health.local import OwnServer
from mailvane.inbound.health.model import TeamReport
from mailvane.inbound.health.reporting import AskedTeam, HealthReporting
from mailvane.inbound.health.settings import HealthSettings
from mailvane.inbound.health.upstream import Upstream
from mailvane.inbound.services import InboundServices
from mailvane.inbound.settings import InboundSettings
from mailvane.mailboxes.dns_health import asking
from mailvane.mailboxes.performance import Figures
from mailvane.mailboxes.service import Mailboxes
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.maillog.followed_logs import FollowedLogs
from mailvane.maillog.history import History
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, ReasonFamily, mail_id
from mailvane.maillog.recording import Recorder
from mailvane.maillog.services import MailLogServices
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.client_keys import ClientKeys
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.feedback import Answer, Outcome
from mailvane.outbound.governance import Governance
from mailvane.outbound.holds import Holds
from mailvane.outbound.model import Domain, Verification
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.suppression import SuppressionMode, SuppressionRules
from mailvane.outbound.suppression_list import SuppressionList
from mailvane.outbound.verification import Challenge, DnsRecord, DomainVerification, Progress, VerificationStatus
from mailvane.reputation.settings import ReputationSettings
from mailvane.server.alerting import MonitoringSettings
from mailvane.server.governance import complaints_of
from mailvane.server.http import HttpServices
from mailvane.server.inbound import inbound_services
from mailvane.server.ledger import Ledger, open_ledger
from mailvane.server.reputation import reputation_of
from mailvane.server.tracking import tracking_services
from tests.ledgers import fresh_ledger
from tests.wire.applications import application
from tests.wire.memory_maillog import MemoryMailLog

MASTER = "master-token-of-the-tests"
ZONE = ZoneInfo("America/New_York")
NOW = int(datetime(2024, 1, 17, 15, 30, 45, tzinfo=ZONE).timestamp() * 1000)


@dataclass(frozen=True)
class Tenant:
    """One workspace with everything needed to speak for it."""

    workspace: Workspace
    relay: Relay
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-KEY": self.token}


@dataclass(frozen=True)
class World:
    """The server under test and who lives in it."""

    client: TestClient[Litestar]
    services: HttpServices
    ledger: Ledger
    maillog: MemoryMailLog
    ours: Tenant
    theirs: Tenant
    platform: str

    def record(self, tenant: Tenant, *events: MailEvent) -> None:
        token = f"test:{tenant.workspace.id}:{len(self.maillog._tokens)}"
        self.services.maillog.recorder.record(
            JournalEntry(batch=EventBatch(token, tenant.workspace.id, 0, list(events))), NOW
        )
        self.services.maillog.recorder.drain()


def health(inbound: InboundServices) -> Callable[[Workspace], TeamReport]:
    """How a workspace stands, as its own server knows it."""

    def asked(workspace: Workspace) -> TeamReport:
        @asynccontextmanager
        async def own() -> AsyncIterator[Upstream]:
            yield OwnServer(inbound, workspace.id, lambda: NOW)

        reporting = HealthReporting(HealthSettings(), lambda: NOW)
        (found,) = asyncio.run(reporting.report([AskedTeam(workspace.name, own)])).teams
        return found

    return asked


@contextmanager
def opened(directory: Path, ledger_url: str | None = None) -> Iterator[World]:
    """A running world."""
    ledger = open_ledger(ledger_url) if ledger_url else fresh_ledger(directory / "ledger.sqlite")
    maillog = MemoryMailLog()
    tenancy = Tenancy(ledger.tenants, MASTER)
    recorder = Recorder(ledger.journal, maillog)
    complaints = complaints_of(OutboundSettings(), ledger, lambda: maillog, recorder.record)
    settings = MonitoringSettings(ReputationSettings(resolvers=("127.0.0.1:9",)))
    reputation = reputation_of(settings, ledger, lambda: NOW, complaints=complaints)
    outbounds = outbound(ledger, tenancy)
    inbounds = inbound_services(ledger, tenancy, InboundSettings(), directory, lambda: nullcontext(maillog))
    mailboxes = MailboxServices(
        Mailboxes(ledger.mailboxes, tenancy, Figures(lambda: maillog)),
        tenancy,
        asking(lambda: Lookups(("127.0.0.1:9",), timeout=0.2), ("mail",)),
    )
    tracking = tracking_services(MailboxSettings(), "http://testserver.local", ledger, tenancy, recorder.record)
    services = HttpServices(
        tenancy=tenancy,
        maillog=MailLogServices(maillog, tenancy, History(maillog, ledger.tenants), recorder, ZONE, lambda: NOW),
        outbound=outbounds,
        inbound=inbounds,
        reputation=reputation.services,
        dmarc=reputation.dmarc,
        notify=reputation.notify,
        dashboard=DashboardServices(
            people=People(ledger.people, ledger.tenants),
            tenancy=tenancy,
            maillog=maillog,
            history=History(maillog, ledger.tenants),
            outbound=outbounds,
            reputation=reputation.services,
            inbound=inbounds,
            notify=reputation.notify,
            dmarc=reputation.dmarc,
            mailboxes=mailboxes,
            zone=ZONE,
            changes=Changes(recorder.stored, ledger.alert_log, ledger.domains),
            views=ledger.views,
            tagging=tracking.tagging,
            triage=Triage(ledger.decisions, inbounds.quarantine, inbounds.stores),
            health=health(inbounds),
            followed=FollowedLogs(lambda: NOW),
        ),
        mailboxes=mailboxes,
        tracking=tracking,
        clock=lambda: NOW,
    )
    platform = tenancy.create_key(KeyKind.PLATFORM, None, NOW).token
    try:
        with ExitStack() as running:
            app = running.enter_context(application(services))
            app.on_startup.append(services.outbound.decision_queue.start)
            app.on_shutdown.append(services.outbound.decision_queue.stop)
            client = running.enter_context(TestClient(app, raise_server_exceptions=False))
            yield World(client, services, ledger, maillog, tenant(tenancy, "ours"), tenant(tenancy, "theirs"), platform)
    finally:
        ledger.close()


def outbound(ledger: Ledger, tenancy: Tenancy) -> OutboundServices:
    suppression = SuppressionRules(mode=SuppressionMode.REFUSE)
    rules = GovernanceRules(suppression=suppression)
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, rules)
    return OutboundServices(
        tenancy=tenancy,
        governance=governance,
        send_limits=SendLimits(ledger.send_limits),
        suppressions=SuppressionList(ledger.suppressions, suppression),
        holds=Holds(ledger.holds),
        decision_queue=DecisionQueue(governance, lambda: NOW),
        clients=ClientKeys(ledger.clients, governance),
        domain_verification=DomainVerification(governance, Judges()),
        take_notification=taken,
        bounce_sources=("notifications of Amazon SES",),
    )


class Judges:
    """Verifies whatever was begun, but a domain that is named `slow.` only half."""

    def begin(self, domain: Domain) -> Challenge:
        tokens = ("token1", "token2", "token3")
        text = DnsRecord("TXT", f"_amazonses.{domain.name}", "abc123")
        names = [
            DnsRecord("CNAME", f"{each}._domainkey.{domain.name}", f"{each}.dkim.amazonses.com") for each in tokens
        ]
        return Challenge(token="abc123", dkim_tokens=tokens, records=(text, *names))

    def status(self, domain: Domain) -> Progress:
        if domain.verification is Verification.NONE:
            return Progress(identity=VerificationStatus.NOT_STARTED, dkim=VerificationStatus.NOT_STARTED)
        done = VerificationStatus.PENDING if domain.name.startswith("slow.") else VerificationStatus.SUCCESS
        return Progress(identity=VerificationStatus.SUCCESS, dkim=done)


def taken(body: bytes, now: int) -> Outcome:
    """Believes what says that it is genuine."""
    answers = {b"genuine": Answer.TAKEN, b"forged": Answer.REFUSED, b"later": Answer.LATER}
    return Outcome(answers.get(body, Answer.MALFORMED), "as told")


def tenant(tenancy: Tenancy, name: str) -> Tenant:
    workspace = tenancy.create_workspace(name, NOW)
    relay = tenancy.create_relay(workspace.id, f"relay of {name}", NOW)
    return Tenant(workspace, relay, tenancy.create_key(KeyKind.WORKSPACE, workspace.id, NOW).token)


ACCEPTED_AT = NOW - 1_800_123  # half an hour ago
NUMBER = 0x0ABCDEF
MAIL_ID = mail_id(ACCEPTED_AT, NUMBER)


def populate(world: World) -> None:
    """Four deliveries of ours: one to each of two recipients, one that waits, one bare local one; and one of theirs."""
    first = accepted(world.ours, "client@isp.example")
    second = structs.replace(accepted(world.ours, "gone@isp.example"), recipient_number=2)
    waiting = accepted(world.ours, "later@isp.example", seconds_later=300)
    bare = MailEvent(
        relay=world.ours.relay.id,
        accepted_at=NOW - 24 * 3_600_000 - 1,
        number=7,
        type=EventType.ACCEPTED,
        at=NOW - 24 * 3_600_000 - 1,
        recipient="root@localhost",
    )
    refused = ended(second, EventType.BOUNCED, 550, "550 5.1.1 No such user")
    world.record(world.ours, first, second, ended(first), refused, waiting, bare)
    theirs = structs.replace(accepted(world.theirs, "secret@theirs.example"), sender="boss@theirs.example")
    world.record(world.theirs, theirs, ended(theirs))


def accepted(tenant: Tenant, recipient: str, seconds_later: int = 0, number: int = NUMBER) -> MailEvent:
    """A mail taken in for one recipient; the same number and time is the same mail."""
    return MailEvent(
        relay=tenant.relay.id,
        accepted_at=ACCEPTED_AT + 1000 * seconds_later,
        number=number,
        type=EventType.ACCEPTED,
        at=ACCEPTED_AT + 1000 * seconds_later,
        recipient=recipient,
        recipient_number=1,
        sender="person@ours.example",
        subject="Your order",
        message_id="<Abc.123@ours.example>",
        header_from="shop@ours.example",
        reply_to="help@ours.example",
        origin="192.0.2.7",
        protocol="ESMTPSA",
        interface="submission",
        size=2048,
        queue_id="4BF52A1B7D",
        host="mx1",
    )


def ended(
    event: MailEvent, kind: EventType = EventType.DELIVERED, code: int = 250, reply: str = "250 2.0.0 Ok"
) -> MailEvent:
    """What became of a mail that was taken in."""
    return MailEvent(
        relay=event.relay,
        accepted_at=event.accepted_at,
        number=event.number,
        type=kind,
        at=event.accepted_at + 2500,
        recipient=event.recipient,
        recipient_number=event.recipient_number,
        transport="smtp",
        mx_host="mx.isp.example",
        mx_ip="198.51.100.9",
        code=code,
        reply=reply,
        delay=2500,
        family=ReasonFamily.NONE if kind is EventType.DELIVERED else ReasonFamily.OTHER,
    )
