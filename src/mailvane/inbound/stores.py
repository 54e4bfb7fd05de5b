"""The stores of inbound mail, for a service that needs them together. `server.ledger` makes them, as `Ledger.inbound`.

What is where: `teams` (limits and weekly numbers of a workspace), `domains` (with their next hop), `addresses`
(mailboxes, aliases, relay addresses), `recipients` (what the gateway asks of all these), `contacts` (senders and their
state), `messages` (taken in and changed), `pages` (lists of messages), `search_index` (parts of their texts),
`queue` (on the way to a next hop), `spool` (content on that way), `filters` (in their order), `digests` (who was told),
`audit` (who changed what).
"""

from __future__ import annotations

import msgspec

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


class InboundStores(msgspec.Struct, frozen=True, kw_only=True):
    """On one ledger."""

    teams: TeamStore
    domains: InboundDomainStore
    addresses: AddressStore
    recipients: RecipientStore
    contacts: ContactStore
    messages: MessageStore
    pages: MessagePages
    search_index: SearchIndex
    queue: QueueStore
    spool: SpoolStore
    filters: FilterStore
    digests: DigestStore
    audit: InboundAuditStore
