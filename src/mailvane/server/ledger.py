"""The ledger: the store of each room, all on one database. What needs one is given that one, not all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection

from mailvane.core.errors import MailvaneError
from mailvane.core.leasing import LeaseStore
from mailvane.core.ledger.copying import LedgerCopies
from mailvane.core.ledger.database import Database, connect
from mailvane.core.ledger.memory import Memory
from mailvane.core.ledger.migration import migrate
from mailvane.core.nodes import NodeStore
from mailvane.core.tenants.store import TenantStore
from mailvane.dashboard.people.store import PeopleStore
from mailvane.dashboard.triage.store import DecisionStore
from mailvane.dashboard.views.store import ViewStore
from mailvane.dmarc.store.reports import ReportStore
from mailvane.dmarc.store.senders import SenderStore
from mailvane.dmarc.store.tokens import TokenStore
from mailvane.dmarc.store.unjoined import UnjoinedStore
from mailvane.inbound.health.store.readings import HealthReportStore, ReadingStore
from mailvane.inbound.health.store.releases import ReleaseStore
from mailvane.inbound.health.stores import HealthStores
from mailvane.inbound.store.addresses import AddressStore
from mailvane.inbound.store.audit import InboundAuditStore
from mailvane.inbound.store.contacts import ContactStore
from mailvane.inbound.store.digests import DigestStore
from mailvane.inbound.store.domains import InboundDomainStore
from mailvane.inbound.store.filters import FilterStore
from mailvane.inbound.store.indexing import SearchIndex
from mailvane.inbound.store.message_pages import MessagePages
from mailvane.inbound.store.messages import MessageStore
from mailvane.inbound.store.queue import QueueStore
from mailvane.inbound.store.recipients import RecipientStore
from mailvane.inbound.store.spool import SpoolStore
from mailvane.inbound.store.teams import TeamStore
from mailvane.inbound.stores import InboundStores
from mailvane.mailboxes.store.limits import allowances
from mailvane.mailboxes.store.mailboxes import MailboxStore
from mailvane.mailboxes.store.tracking import TrackingStore
from mailvane.maillog.store.adopting import AdoptionStore
from mailvane.maillog.store.journal import JournalStore
from mailvane.maillog.store.maillog_record import MailLogRecordStore
from mailvane.notify.store.channels import ChannelStore
from mailvane.notify.store.outbox import OutboxStore
from mailvane.outbound.model import SenderLimit
from mailvane.outbound.store.billing import BillingStore
from mailvane.outbound.store.clients import ClientStore
from mailvane.outbound.store.domains import DomainStore
from mailvane.outbound.store.holds import HoldTable
from mailvane.outbound.store.limits import LimitStore
from mailvane.outbound.store.marks import LimitMarks
from mailvane.outbound.store.present_limits import PresentLimits
from mailvane.outbound.store.suppressions import SuppressionStore
from mailvane.reputation.alerts.stores import AlertingStores
from mailvane.reputation.store.alert_log import AlertLogStore
from mailvane.reputation.store.alerts import AlertStore
from mailvane.reputation.store.assets import AssetStore
from mailvane.reputation.store.heartbeats import HeartbeatStore
from mailvane.reputation.store.observations import ObservationStore
from mailvane.reputation.store.profiles import ProfileStore
from mailvane.reputation.store.zones import ZoneStore


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """One database and every store on it. Every method of a store is one transaction."""

    database: Database
    copies: LedgerCopies
    leases: LeaseStore
    nodes: NodeStore
    tenants: TenantStore
    journal: JournalStore
    adoption: AdoptionStore
    maillog_record: MailLogRecordStore
    domains: DomainStore
    send_limits: LimitStore
    limit_marks: LimitMarks
    present_limits: PresentLimits
    suppressions: SuppressionStore
    holds: HoldTable
    billing: BillingStore
    clients: ClientStore
    profiles: ProfileStore
    assets: AssetStore
    observations: ObservationStore
    zones: ZoneStore
    heartbeats: HeartbeatStore
    alerts: AlertStore
    alert_log: AlertLogStore
    reports: ReportStore
    tokens: TokenStore
    senders: SenderStore
    unjoined: UnjoinedStore
    outbox: OutboxStore
    channels: ChannelStore
    inbound: InboundStores
    health: HealthStores
    people: PeopleStore
    views: ViewStore
    decisions: DecisionStore
    mailboxes: MailboxStore
    tracking: TrackingStore

    @property
    def alerting(self) -> AlertingStores:
        """Those that alerts are evaluated with."""
        return AlertingStores(
            alerts=self.alerts,
            alert_log=self.alert_log,
            observations=self.observations,
            assets=self.assets,
            profiles=self.profiles,
            channels=self.channels,
            outbox=self.outbox,
        )

    def close(self) -> None:
        self.database.close()


def sender_limits(connection: Connection, memory: Memory, addresses: Sequence[str], now: int) -> Iterator[SenderLimit]:
    """What mailboxes may send is what decides on outgoing mail, too."""
    for workspace, address, hourly, daily, monthly in allowances(connection, memory, addresses, now):
        yield SenderLimit(workspace=workspace, name=address, hourly=hourly, daily=daily, monthly=monthly)


def ledger_on(database: Database) -> Ledger:
    """Every store on a database that has this version's schema."""
    suppressions = SuppressionStore(database)
    return Ledger(
        database=database,
        copies=LedgerCopies(database),
        leases=LeaseStore(database),
        nodes=NodeStore(database),
        tenants=TenantStore(database),
        journal=JournalStore(database, suppressions.notice),
        adoption=AdoptionStore(database),
        maillog_record=MailLogRecordStore(database),
        domains=DomainStore(database, sender_limits),
        send_limits=LimitStore(database),
        limit_marks=LimitMarks(database),
        present_limits=PresentLimits(database, sender_limits),
        suppressions=suppressions,
        holds=HoldTable(database),
        billing=BillingStore(database),
        clients=ClientStore(database),
        profiles=ProfileStore(database),
        assets=AssetStore(database),
        observations=ObservationStore(database),
        zones=ZoneStore(database),
        heartbeats=HeartbeatStore(database),
        alerts=AlertStore(database),
        alert_log=AlertLogStore(database),
        reports=ReportStore(database),
        tokens=TokenStore(database),
        senders=SenderStore(database),
        unjoined=UnjoinedStore(database),
        outbox=OutboxStore(database),
        channels=ChannelStore(database),
        mailboxes=MailboxStore(database),
        tracking=TrackingStore(database),
        inbound=_inbound_on(database),
        health=HealthStores(
            readings=ReadingStore(database), reports=HealthReportStore(database), releases=ReleaseStore(database)
        ),
        people=PeopleStore(database),
        views=ViewStore(database),
        decisions=DecisionStore(database),
    )


def _inbound_on(database: Database) -> InboundStores:
    return InboundStores(
        teams=TeamStore(database),
        domains=InboundDomainStore(database),
        addresses=AddressStore(database),
        recipients=RecipientStore(database),
        contacts=ContactStore(database),
        messages=MessageStore(database),
        pages=MessagePages(database),
        search_index=SearchIndex(database),
        queue=QueueStore(database),
        spool=SpoolStore(database),
        filters=FilterStore(database),
        digests=DigestStore(database),
        audit=InboundAuditStore(database),
    )


def open_ledger(url: str) -> Ledger:
    """The ledger at `sqlite:////path` or `postgresql://…`, brought to this version's schema.

    Raises InvalidSetting, StoreTooNew or StoreUnavailable, each with one line that says what is wrong.
    """
    database = connect(url)
    try:
        migrate(database)
    except MailvaneError:
        database.close()
        raise
    return ledger_on(database)
