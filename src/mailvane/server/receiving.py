"""Puts the SMTP gateway together from the settings and the stores, and runs it beside the other roles."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

import msgspec
from prometheus_client import CollectorRegistry

from mailvane.core.errors import InvalidSetting
from mailvane.core.leasing import Leasing, process_name
from mailvane.core.periodic import every, in_background
from mailvane.inbound.content import ContentStore
from mailvane.inbound.delivery.courier import HOLD_MS, Courier, CourierParts
from mailvane.inbound.gateway.arrival import Arrivals
from mailvane.inbound.gateway.intake import Intake
from mailvane.inbound.gateway.opinions import Opinions
from mailvane.inbound.gateway.server import GatewayMetrics, GatewayServer
from mailvane.inbound.keeping import Heard, Keeping
from mailvane.inbound.retention import Retention
from mailvane.inbound.routing import Directory
from mailvane.inbound.rspamd import rspamd_of
from mailvane.inbound.settings import InboundSettings
from mailvane.maillog.reasons import load_reasons
from mailvane.server.inbound import CONTENT_DIRECTORY
from mailvane.server.judging import judged_replies
from mailvane.server.settings import SMTP_DEFAULT, Settings
from mailvane.server.stores import Stores

log = logging.getLogger(__name__)

_TIDY_SECONDS = 3600.0
_NOTICE_SECONDS = 0.5
_EXPIRY_SECONDS = 2.0
_INDEXING_SECONDS = 20.0


class Receiving:
    """The gateway and what hands its mail on. Made before the loop runs, used within it."""

    def __init__(
        self, settings: Settings, stores: Stores, registry: CollectorRegistry, clock: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._metrics = GatewayMetrics(registry)
        self._inbound = named(settings.inbound)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take mail in and hand it on for the length of a block."""
        inbound, stores = self._inbound, self._stores.ledger.inbound
        contents = ContentStore(self._settings.data / CONTENT_DIRECTORY)
        await asyncio.to_thread(contents.open)
        holder = process_name()
        noticed = seldom(self._stores.recorder.notice)
        parts = CourierParts(stores=stores, contents=contents, settings=inbound, reasons=load_reasons())
        replied = judged_replies(self._settings.mailboxes, self._stores.ledger.tracking)
        keeping = Keeping(stores.messages, contents, self._clock, Heard(noticed, replied))
        courier = Courier(parts, holder, self._clock, keeping)
        leasing = Leasing(self._stores.ledger.leases, self._clock, holder)
        rspamd = rspamd_of(inbound)
        arrivals = Arrivals(keeping, contents, inbound, (holder, HOLD_MS), courier.take)
        intake = Intake(
            inbound,
            Directory(stores, inbound.recipient_delimiter),
            Opinions(inbound, stores, rspamd if inbound.score_from == "rspamd" else None),
            arrivals,
            self._metrics,
            self._clock,
        )
        gateway = GatewayServer(intake, inbound, self._metrics)
        try:
            retention = Retention(stores, contents, inbound, self._clock)
            tidying = partial(every, _TIDY_SECONDS, "forgetting old mail", partial(asyncio.to_thread, retention.tidy))
            expiring = partial(
                every, _EXPIRY_SECONDS, "ending what is kept for a time", partial(asyncio.to_thread, retention.expire)
            )
            indexing = partial(every, _INDEXING_SECONDS, "indexing texts of mail", partial(self._index, leasing))
            async with in_background([courier.run, tidying, expiring, indexing]):
                await self._listen(gateway)
                yield
                await gateway.stop()
        finally:
            await rspamd.close()
            contents.close()

    async def _index(self, leasing: Leasing) -> bool:
        """A block of texts, where one is full and no other process is at it; whether there may be more."""
        index = self._stores.ledger.inbound.search_index
        if not await asyncio.to_thread(index.is_due):
            return False
        async with leasing.held("inbound search") as held:
            return held is not None and await asyncio.to_thread(index.advance)

    async def _listen(self, gateway: GatewayServer) -> None:
        try:
            await gateway.listen(self._settings.smtp)
        except InvalidSetting as error:
            # Nobody asked for this address: a second server beside another is to run all the same.
            if str(self._settings.smtp) != SMTP_DEFAULT:
                raise
            log.warning("no mail is taken in: %s", error)
        else:
            log.info("taking mail in on %s", self._settings.smtp)


def seldom(notice: Callable[[], None], now: Callable[[], float] = monotonic) -> Callable[[], None]:
    """Says it at most twice a second. Whoever carries events to the mail log looks that often anyway, and an insert of
    a hundred events costs little more than one of two: with each commit it would take half a core."""
    last = -_NOTICE_SECONDS

    def noticed() -> None:
        nonlocal last
        if now() - last >= _NOTICE_SECONDS:
            last = now()
            notice()

    return noticed


def named(inbound: InboundSettings) -> InboundSettings:
    """With the name of this machine where none is set."""
    return msgspec.structs.replace(inbound, hostname=inbound.hostname or socket.getfqdn())
