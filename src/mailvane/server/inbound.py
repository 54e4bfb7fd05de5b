"""Inbound mail for those who decide about it, put together of its stores and its content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from mailvane.core.errors import CollectionFailed, NotFound
from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.content import ContentStore, KeptContent
from mailvane.inbound.digest.links import HeldLinks
from mailvane.inbound.quarantine import Quarantine
from mailvane.inbound.received import ReceivedMail
from mailvane.inbound.services import InboundServices
from mailvane.inbound.settings import InboundSettings
from mailvane.maillog.interface import MailLog
from mailvane.notify.signing import Signing
from mailvane.server.ledger import Ledger

log = logging.getLogger(__name__)

CONTENT_DIRECTORY = "content"


OpenMailLog = Callable[[], AbstractContextManager[MailLog]]


def inbound_services(
    ledger: Ledger, tenancy: Tenancy, settings: InboundSettings, data: Path, maillog: OpenMailLog
) -> InboundServices:
    """What HTTP interfaces and commands ask; `data` is the data directory, `maillog` is opened where it is needed."""
    contents = KeptContent(ContentStore(data / CONTENT_DIRECTORY), ledger.inbound.spool.packed)

    def content(content_id: str) -> bytes | None:
        try:
            return contents.get(content_id)
        except NotFound:
            return None

    def learn(mail: bytes, is_spam: bool) -> None:
        try:
            asyncio.run(_learn(settings, mail, is_spam))
        except CollectionFailed as error:
            log.warning("the spam filter did not learn from a decision: %s", error.message)

    quarantine = Quarantine(ledger.inbound, contents.get, learn)
    links = HeldLinks(Signing(ledger.channels).living, ledger.channels.signing_secrets)
    received = ReceivedMail(ledger.inbound, ledger.tenants, maillog)
    return InboundServices(
        tenancy, ledger.inbound, received, quarantine, settings.quarantine_days, links=links, content=content
    )


async def _learn(settings: InboundSettings, mail: bytes, is_spam: bool) -> None:
    if not settings.rspamd_controller_url:
        return
    from mailvane.inbound.rspamd import rspamd_of  # noqa: PLC0415 - no command should wait for an HTTP client

    rspamd = rspamd_of(settings)
    try:
        await rspamd.learn(mail, spam=is_spam)
    finally:
        await rspamd.close()
