"""`mailvane serve`: opens the stores, starts the roles, runs until it is stopped, and finishes work in progress."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import time
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from threading import Event, Thread
from typing import Any

import uvloop
from litestar import Litestar
from prometheus_client import CollectorRegistry, ProcessCollector

from mailvane import __version__
from mailvane.core.connections import ConnectionLimits
from mailvane.core.leasing import process_name
from mailvane.core.memory import give_back
from mailvane.core.nodes import Node, present
from mailvane.core.periodic import Background, every, in_background
from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.live.changes import Changes
from mailvane.dashboard.people.service import People
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.triage.service import Triage
from mailvane.inbound.services import InboundServices
from mailvane.maillog.followed_logs import FollowedLogs
from mailvane.maillog.history import History
from mailvane.maillog.interface import MailLog
from mailvane.maillog.services import MailLogServices
from mailvane.outbound.policy.server import PolicyServer
from mailvane.outbound.services import OutboundServices
from mailvane.server.alerting import monitoring_settings
from mailvane.server.asking import is_embedded
from mailvane.server.digesting import digesting
from mailvane.server.disk_space import room_finder
from mailvane.server.following import Follower, FollowingMetrics
from mailvane.server.governance import complaints_of
from mailvane.server.health import Health
from mailvane.server.heartbeat import Heartbeat, all_is_well
from mailvane.server.housekeeping import housekeeping_of
from mailvane.server.http import HttpServices, create_app
from mailvane.server.inbound import inbound_services
from mailvane.server.judging import classifying
from mailvane.server.ledgers import end_what_dead_processes_hold
from mailvane.server.login_provider import admission, login_provider
from mailvane.server.mailboxes import WarmupWatch, mailbox_services
from mailvane.server.outbound import outbound_services, policy_server
from mailvane.server.receiving import Receiving
from mailvane.server.reputation import Reputation, reputation_of
from mailvane.server.service_manager import ServiceManager, service_manager
from mailvane.server.settings import Settings, base_url, master_token
from mailvane.server.settling import settling_of
from mailvane.server.starting import Start, started
from mailvane.server.stores import Stores
from mailvane.server.timeline import Timeline
from mailvane.server.tracing import tracing_of
from mailvane.server.tracking import tracking_services
from mailvane.web.connection import HttpLimits
from mailvane.web.server import serve as serve_http

log = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
DECISIONS_SECONDS = 1.0
# How long a thread may keep the others from running Python. A commit comes back to it a dozen times, after each call of
# SQLite and of the system: with the interpreter's own five milliseconds, a commit beside a busy loop takes ten times as
# long as its disk does.
_SWITCH_SECONDS = 0.0005
_USUALLY = (700, 10, 10)  # objects made before garbage is looked for, as the interpreter has it when it starts


def serve(settings: Settings, roles: frozenset[str], ready: Callable[[Stores], None] | None = None) -> None:
    """Run the roles until SIGINT or SIGTERM; `ready` is called once, when questions are answered."""
    with started(settings, roles) as start:
        serve_from(start, settings, roles, ready)


def serve_from(
    start: Start, settings: Settings, roles: frozenset[str], ready: Callable[[Stores], None] | None = None
) -> None:
    """Likewise, where the stores are being opened already."""
    timeline, limits, registry, mail = start.timeline, start.limits, start.registry, start.mail
    timeline.reached("other modules")
    metrics = FollowingMetrics(registry)
    ProcessCollector(registry=registry)
    with ExitStack() as running:
        stores = start.stores()
        timeline.reached("stores")
        end_what_dead_processes_hold(settings, stores.ledger, _clock())
        node = _node(settings, roles)
        running.enter_context(present(stores.ledger.nodes, node, master_token(settings), _clock))
        followed = FollowedLogs(_clock)
        if "worker" in roles:
            followed = running.enter_context(_followers(settings, stores, metrics))
        tenancy = Tenancy(stores.ledger.tenants, master_token(settings))
        outbound = outbound_services(settings.outbound, stores, tenancy, _clock)
        complaints = complaints_of(settings.outbound, stores.ledger, lambda: stores.maillog, stores.recorder.record)
        monitoring = monitoring_settings(settings)
        reputation = reputation_of(monitoring, stores.ledger, _clock, registry, complaints, stores.maillog)
        services = _services(settings, stores, tenancy, outbound, reputation)
        services = replace(
            services,
            followed=followed,
            removal=stores.removal,
            dashboard=replace(services.dashboard, followed=followed),
        )
        application = _application(settings, services, registry) if "http" in roles else None
        policy = (
            policy_server(settings.outbound, outbound.decision_queue, registry, limits) if "policy" in roles else None
        )
        receiving = Receiving(settings, stores, registry, _clock) if "smtp" in roles else None
        manager = service_manager()
        on_ready = partial(_ready, timeline, None if ready is None else partial(ready, stores))
        # A loop in C: a decision is so little work that the standard one would be a good part of it.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            answering = None if application is None else _answering(settings, application, limits, manager, on_ready)
            surfaces = _receiving(receiving, _run(settings, answering, policy, outbound, manager))
            background = [*reputation.background(), housekeeping_of(stores.ledger, _clock).run]
            health = _health(settings, stores, services.inbound)
            background += health.background(registry)
            background += digesting(settings, stores.ledger, services.inbound, _clock)
            background.append(_triaging(services.dashboard.triage))
            background.append(WarmupWatch(services.mailboxes.mailboxes, _clock).run)
            background.append(
                partial(every, SWEEP_SECONDS, "removed workspaces", partial(to_thread, stores.removal.sweep))
            )
            background += heartbeat_of(settings, stores, followed)
            background.append(partial(mail.follow, stores.maillog, tenancy, _clock))
            background.append(partial(settling_of(settings.mailboxes, stores, tenancy).run, _clock))
            background += classifying(settings.mailboxes, stores, tenancy, _clock)
            runner.run(_beside(background, surfaces) if "worker" in roles else surfaces)
    log.info("stopped")


def _ready(timeline: Timeline, then: Callable[[], None] | None) -> None:
    timeline.reached("services and doors")
    log.info("ready after %s", timeline)
    if then is not None:
        then()


def _application(settings: Settings, services: HttpServices, registry: CollectorRegistry) -> Litestar:
    return create_app(replace(services, tracing=tracing_of(settings.tracing)), registry)


def _node(settings: Settings, roles: frozenset[str]) -> Node:
    address = base_url(settings) if "http" in roles else ""
    return Node(process_name(), tuple(sorted(roles)), address, __version__, _clock(), _clock())


def heartbeat_of(settings: Settings, stores: Stores, followed: FollowedLogs) -> list[Background]:
    """None where nobody wants to be told."""
    if not settings.notify.heartbeat_url:
        return []
    look = partial(all_is_well, stores, followed, room_finder(settings), _clock)
    return [Heartbeat(settings.notify.heartbeat_url, settings.notify.heartbeat_seconds, look).run]


@contextmanager
def _followers(settings: Settings, stores: Stores, metrics: FollowingMetrics) -> Iterator[FollowedLogs]:
    stop = Event()
    followers = [Follower(settings, one, stores, metrics, stop.is_set) for one in settings.postfix]
    threads = [Thread(target=follower.run, name=f"follow {follower.name}") for follower in followers]
    for thread in threads:
        thread.start()
    try:
        yield FollowedLogs(_clock, [follower.standing for follower in followers])
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _services(
    settings: Settings, stores: Stores, tenancy: Tenancy, outbound: OutboundServices, reputation: Reputation
) -> HttpServices:
    history = History(stores.maillog, stores.ledger.tenants)

    def maillog() -> AbstractContextManager[MailLog]:
        return nullcontext(stores.maillog)

    inbound = inbound_services(stores.ledger, tenancy, settings.inbound, settings.data, maillog)
    mailboxes = mailbox_services(settings, stores.ledger, tenancy, lambda: stores.maillog)
    record = stores.recorder.record
    tracking = tracking_services(settings.mailboxes, base_url(settings), stores.ledger, tenancy, record)
    return HttpServices(
        tenancy=tenancy,
        maillog=MailLogServices(
            stores.maillog,
            tenancy,
            history,
            stores.recorder,
            settings.timezone,
            _clock,
            lambda: stores.integrity.damage,
        ),
        outbound=outbound,
        inbound=inbound,
        reputation=reputation.services,
        dmarc=reputation.dmarc,
        notify=reputation.notify,
        dashboard=DashboardServices(
            people=People(stores.ledger.people, stores.ledger.tenants),
            tenancy=tenancy,
            maillog=stores.maillog,
            history=history,
            outbound=outbound,
            reputation=reputation.services,
            inbound=inbound,
            notify=reputation.notify,
            dmarc=reputation.dmarc,
            mailboxes=mailboxes,
            zone=settings.timezone,
            changes=_changes(settings, stores),
            views=stores.ledger.views,
            tagging=tracking.tagging,
            triage=Triage(stores.ledger.decisions, inbound.quarantine, inbound.stores),
            health=_health(settings, stores, inbound).of_workspace,
            oidc=login_provider(settings),
            admission=admission(settings.oidc),
        ),
        mailboxes=mailboxes,
        tracking=tracking,
        clock=_clock,
        find_room=room_finder(settings),
    )


def _health(settings: Settings, stores: Stores, inbound: InboundServices) -> Health:
    return Health(settings, lambda: stores.ledger, _clock, lambda _ledger: inbound)


def _triaging(triage: Triage) -> Background:
    """Decisions about held mail, when they can no longer be taken back."""

    async def look() -> bool:
        return await to_thread(triage.run, _clock())

    return partial(every, DECISIONS_SECONDS, "decisions about held mail", look)


def _changes(settings: Settings, stores: Stores) -> Changes:
    """Into a mail log that is a server's, others put mail too."""
    ledger = stores.ledger
    shared = None if is_embedded(settings) else ledger.journal
    return Changes(stores.recorder.stored, ledger.alert_log, ledger.domains, shared)


async def _beside(background: Sequence[Background], surfaces: Coroutine[Any, Any, None]) -> None:
    async with in_background(background):
        await surfaces


async def _receiving(receiving: Receiving | None, surfaces: Coroutine[Any, Any, None]) -> None:
    if receiving is None:
        await surfaces
        return
    async with receiving.running():
        await surfaces


async def _run(
    settings: Settings,
    answering: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None,
    policy: PolicyServer | None,
    outbound: OutboundServices,
    manager: ServiceManager,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    # What was made until here lives as long as the process. A collector that went through it again and again would stop
    # every answer for a tenth of a second each time. It does not go through it once before: that takes a fifth of a
    # second, and finds two hundred objects.
    gc.freeze()
    gc.set_threshold(*_USUALLY)
    sys.setswitchinterval(_SWITCH_SECONDS)
    await outbound.decision_queue.start()
    try:
        async with in_background([manager.watch, partial(to_thread, give_back)]), _policing(settings, policy):
            if answering is None:
                manager.ready("without HTTP")
            await (stop.wait() if answering is None else answering(stop))
    finally:
        manager.stopping()
        await outbound.decision_queue.stop()


@asynccontextmanager
async def _policing(settings: Settings, policy: PolicyServer | None) -> AsyncIterator[None]:
    if policy is None:
        yield
        return
    await policy.listen(settings.policy)
    log.info("answering mail servers on %s", settings.policy)
    try:
        yield
    finally:
        await policy.stop()


def _answering(
    settings: Settings,
    application: Litestar,
    limits: ConnectionLimits,
    manager: ServiceManager,
    ready: Callable[[], None],
) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """What answers HTTP until the event is set."""

    async def answer(stop: asyncio.Event) -> None:
        announcing = asyncio.create_task(_announce(settings, manager, ready))
        try:
            await serve_http(application, settings.http, stop, HttpLimits(connections=limits))
        finally:
            announcing.cancel()

    return answer


async def _announce(settings: Settings, manager: ServiceManager, ready: Callable[[], None]) -> None:
    """Say that questions are answered, once they are."""
    while True:
        try:
            _, writer = await asyncio.open_connection(settings.http.host, settings.http.port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        break
    log.info("answering on %s", base_url(settings))
    manager.ready(f"answering on {base_url(settings)}")
    await asyncio.to_thread(ready)


def _clock() -> int:
    return time.time_ns() // 1_000_000
