"""The HTTP application: every dialect's routes behind one gateway."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from litestar.datastructures import State
from prometheus_client import CollectorRegistry

from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.application import PREFIX as DASHBOARD
from mailvane.dashboard.application import create_dashboard
from mailvane.dashboard.services import DashboardServices
from mailvane.dmarc import emailconsul as emailconsul_reports
from mailvane.dmarc.api import routes as report_routes
from mailvane.dmarc.services import DmarcServices
from mailvane.inbound.api import routes as inbound_routes
from mailvane.inbound.cleanbox import routes as cleanbox_routes
from mailvane.inbound.digest import pages as held_mail
from mailvane.inbound.services import InboundServices
from mailvane.mailboxes.api import routes as mailbox_routes
from mailvane.mailboxes.sendkit import routes as sendkit_routes
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.tracking.endpoint import PREFIX as TRACKING
from mailvane.mailboxes.tracking.services import TrackingServices
from mailvane.maillog.api import routes as maillog_routes
from mailvane.maillog.api.intake import DecodedEvents, Intake, Receipt
from mailvane.maillog.api.intake_commits import intake_commits
from mailvane.maillog.followed_logs import FollowedLogs
from mailvane.maillog.mailbaby import routes as mailbaby_routes
from mailvane.maillog.services import MailLogServices
from mailvane.notify.api import routes as notify_routes
from mailvane.notify.services import NotifyServices
from mailvane.outbound.api import routes as outbound_routes
from mailvane.outbound.emboux import routes as emboux_routes
from mailvane.outbound.services import OutboundServices
from mailvane.reputation.api import routes as reputation_routes
from mailvane.reputation.emailconsul import routes as emailconsul_routes
from mailvane.reputation.services import ReputationServices
from mailvane.server import api_page, operations
from mailvane.server.configuration import api as configuration_api
from mailvane.server.configuration.api import ConfigurationServices
from mailvane.server.configuration.parts import Rooms
from mailvane.server.configuration.service import Configuration
from mailvane.server.operations import Checks, Metrics
from mailvane.server.tenants import routes as tenant_routes
from mailvane.server.tenants.removal import WorkspaceRemoval
from mailvane.server.tenants.services import TenantServices
from mailvane.web import description
from mailvane.web.application import Application
from mailvane.web.dialect import NATIVE
from mailvane.web.gateway import Authenticator, Gateway, KeyCache, render_error
from mailvane.web.handlers import handlers
from mailvane.web.thread_pools import ThreadPools
from mailvane.web.tracing import UNTRACED, Tracing

_LARGEST_QUESTION = 64 * 1024
_TABLES = (
    mailbaby_routes.ROUTES,
    emboux_routes.ROUTES,
    cleanbox_routes.ROUTES,
    held_mail.ROUTES,
    emailconsul_routes.ROUTES,
    emailconsul_reports.ROUTES,
    sendkit_routes.ROUTES,
    outbound_routes.ROUTES,
    reputation_routes.ROUTES,
    reputation_routes.CALLS,
    inbound_routes.ROUTES,
    notify_routes.ROUTES,
    report_routes.ROUTES,
    mailbox_routes.ROUTES,
    mailbox_routes.TRACKING,
    *maillog_routes.TABLES,
    tenant_routes.ROUTES,
    configuration_api.ROUTES,
    operations.ROUTES,
    api_page.ROUTES,
)

_DIALECTS = (
    mailbaby_routes.DIALECT,
    emboux_routes.DIALECT,
    cleanbox_routes.DIALECT,
    held_mail.DIALECT,
    emailconsul_routes.DIALECT,
    sendkit_routes.DIALECT,
    reputation_routes.CALLS.dialect,
    NATIVE,
    operations.DIALECT,
)


@dataclass(frozen=True)
class HttpServices:
    """What each room handed in for its interfaces, and what all of them share."""

    tenancy: Tenancy
    maillog: MailLogServices
    outbound: OutboundServices
    inbound: InboundServices
    reputation: ReputationServices
    dmarc: DmarcServices
    notify: NotifyServices
    dashboard: DashboardServices
    mailboxes: MailboxServices
    tracking: TrackingServices
    clock: Callable[[], int]  # milliseconds since the epoch, UTC
    find_room: Callable[[], None] = lambda: None  # for more data; raises StoreFull where there is none
    followed: FollowedLogs | None = None  # None: this process follows no logs
    removal: WorkspaceRemoval | None = None  # None: it removes no workspaces
    tracing: Tracing = UNTRACED

    @property
    def by_type(self) -> Mapping[type[Any], Any]:
        rooms = (
            self.maillog, self.outbound, self.inbound, self.reputation, self.dmarc, self.notify, self.mailboxes,
            self.tracking, TenantServices(self.tenancy, self.removal), self._configuration,
        )  # fmt: skip
        return {type(each): each for each in rooms}

    @property
    def _configuration(self) -> ConfigurationServices:
        """What a configuration file is about is what the rooms serve anyway."""
        watching = self.reputation
        rooms = Rooms(
            governance=self.outbound.governance, send_limits=self.outbound.send_limits, alerting=watching.alerting,
            watched_assets=watching.watched_assets, profiles=watching.profiles, channels=self.notify.named,
            heartbeats=watching.heartbeats,
        )  # fmt: skip
        return ConfigurationServices(Configuration(rooms))


@lru_cache(maxsize=1)
def document() -> bytes:
    """The OpenAPI document of everything that the application serves."""
    return description.described(_TABLES)


def create_app(services: HttpServices, registry: CollectorRegistry | None = None) -> Application:
    """The application. A registry that is passed in may carry other parts' metrics; they are shown along."""
    metrics = Metrics(registry or CollectorRegistry())
    threads = ThreadPools(on_abandoned=metrics.abandoned, tracing=services.tracing)
    key_cache = KeyCache(services.tenancy, services.outbound.clients.admit)
    checks = Checks(services.maillog, services.find_room, services.followed)
    intake = Intake(services.tenancy, services.maillog.recorder)

    async def commit(workspace: int, requests: Sequence[DecodedEvents]) -> list[Receipt]:
        return await threads.quick(intake.commit, workspace, requests, services.clock())

    async def send_last_traces() -> None:
        await to_thread(services.tracing.close)

    app = Application(
        route_handlers=handlers(_TABLES),
        exception_handlers={Exception: render_error},
        request_max_body_size=_LARGEST_QUESTION,
        openapi_config=None,
        logging_config=None,
        on_shutdown=[checks.close, threads.close],
        state=State(
            {
                "services": services.by_type,
                "clock": services.clock,
                "threads": threads,
                "metrics": metrics,
                "checks": checks,
                "key_cache": key_cache,
                "document": document,
                "intake": intake,
                "intake_commits": intake_commits(commit, partial(threads.quick, services.maillog.recorder.backlog)),
            }
        ),
    )
    pages = replace(services.dashboard, forget_keys=key_cache.forget, tracing=services.tracing)
    dashboard = create_dashboard(pages, services.clock)
    # What the threads did last is traced, too.
    app.on_shutdown.extend([*dashboard.on_shutdown, send_last_traces])
    app.asgi_handler = Gateway(
        app.asgi_handler,
        _DIALECTS,
        Authenticator(key_cache, threads, services.clock),
        metrics.observe,
        {DASHBOARD: dashboard, TRACKING: services.tracking.app.serving(threads.quick, services.clock)},
        services.tracing,
    )
    return app
