"""Values of inbound mail: domains with their next hop, addresses, contacts, messages. Nothing here asks or stores.

Times are milliseconds since the epoch, UTC; ids that clients see are UUIDs as text. A message is one mail for one
recipient: a mail for three people is three messages that share content and the id of the mail log.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from mailvane.maillog.model import mail_id


class MessageStatus(StrEnum):
    """What has become of a message."""

    PENDING = "pending"  # accepted; on its way to the next hop, or waiting for another try
    DELIVERED = "delivered"  # the next hop has it
    QUARANTINED = "quarantined"  # held until somebody decides
    DENIED = "denied"  # stopped by a blocked contact or a filter, or by a person
    REJECTED = "rejected"  # refused while the sender was still connected
    SNOOZED = "snoozed"  # waits for a time of day
    FAILED = "failed"  # the next hop did not take it; can be tried again by hand
    BOUNCED = "bounced"  # likewise, and the sender was told


class ContactState(StrEnum):
    """What the workspace has decided about a sender."""

    UNSET = "unset"
    WHITELISTED = "whitelisted"  # no spam checks, no quarantine; filters still run
    BLOCKED = "blocked"  # denied before filters are looked at
    MUTED = "muted"  # delivered, marked for the mailbox server as read
    PRIORITIZED = "prioritized"  # delivered, marked for the mailbox server as flagged


class AddressType(StrEnum):
    """What an address is."""

    MAILBOX = "mailbox"  # delivered under its own name
    ALIAS = "alias"  # delivered to the mailbox it belongs to
    RELAY = "relay"  # of a domain whose unlisted addresses pass as well: listed to have thresholds of its own


class FilterAction(StrEnum):
    """What a filter that matches does."""

    ALLOW = "allow"  # delivered, whatever the score below the threshold for rejection
    DENY = "deny"


class NextHop(msgspec.Struct, frozen=True):
    """The mail server behind the gateway that takes a domain's mail."""

    host: str
    port: int = 25
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: Literal["none", "opportunistic", "required"] = "opportunistic"

    @property
    def name(self) -> str:
        """As logs and the queue call it."""
        return f"{self.protocol}:{self.host}:{self.port}"


class InboundDomain(msgspec.Struct, frozen=True, kw_only=True):
    """A domain whose mail the gateway takes. A name belongs to one workspace."""

    id: str
    workspace: int
    name: str  # canonical
    hop: NextHop
    active: bool = True
    verified: bool = True  # ours: whoever may set up the gateway has proven enough
    unlisted: Literal["refuse", "pass"] = "refuse"  # what happens to recipients that are no address of the domain
    created_at: int = 0


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An address that mail is taken for."""

    id: str
    workspace: int
    type: AddressType
    address: str  # local part in lower case, canonical domain
    mailbox: str | None = None  # of an alias: the id of the mailbox
    label: str = ""
    active: bool = True
    weekly_limit: int = 0  # messages a week; 0: none of its own
    quarantine_at: float | None = None  # spam score from which messages are held; None: as the settings say
    reject_at: float | None = None  # likewise refused
    created_at: int = 0

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace may have of inbound mail; 0 is no limit."""

    workspace: int
    plan: str = "self-hosted"
    weekly_limit: int = 0  # messages a week, all addresses together
    zone: str = "UTC"  # of the Monday midnight at which a week begins
    mailboxes_limit: int = 0
    aliases_limit: int = 0
    domains_limit: int = 0
    content_limit: int = 0  # bytes
    logged_domains: tuple[str, ...] = ()  # whose mail comes in without the gateway, as the mail log alone cannot tell


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has sent mail to a workspace, by the address in From."""

    id: str
    workspace: int
    email: str
    name: str = ""
    state: ContactState = ContactState.UNSET
    category: str = ""
    email_count: int = 0
    first_seen_at: int = 0
    last_seen_at: int = 0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One mail for one recipient. An empty text and a zero mean "not known"."""

    id: str
    workspace: int
    number: int  # of the mail in the mail log, which with `received_at` names it there
    received_at: int
    status: MessageStatus
    address: str | None  # id of the address that the recipient is; None: unlisted, of a domain that lets them pass
    recipient: str  # as RCPT TO named it
    recipient_number: int  # from 1
    target: str  # the address that the next hop is told
    contact: str  # id
    sender: str  # of the envelope; empty for a notification
    from_address: str  # of the header
    from_name: str
    subject: str
    message_id: str
    client: str  # IP address
    client_name: str
    protocol: str  # ESMTP, ESMTPS, …
    size: int  # bytes
    score: float | None = None  # None: nothing told one
    reason: str = ""  # why it has this status, for people
    symbols: str = "[]"  # JSON: what the spam filter found, `[{"name", "score"}]`
    authentication: str = "{}"  # JSON: `{"spf", "dkim", "dmarc"}`, each "pass", "fail", … or missing
    filter: str | None = None  # id of the filter that decided
    content: str | None = None  # SHA-256 of the content while it is kept
    hop: str = ""  # name of the next hop
    marks: str = ""  # "muted" or "prioritized"
    attempts: int = 0
    next_at: int | None = None  # when it is tried next; None: not at all
    holder: str = ""  # the process that has it in hand
    reply: str = ""  # of the next hop
    delivered_at: int = 0
    changed_at: int = 0
    expires_at: int | None = None  # of a held one: when its content is forgotten
    trained: str = ""  # "ham" or "spam" once the spam filter was told

    @property
    def mail_id(self) -> str:
        """As the mail log knows the mail."""
        return mail_id(self.received_at, self.number)


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a filter."""

    component: Literal[
        "from", "from_name", "sender", "subject", "body", "header", "property", "category", "spam_score", "spam_symbol"
    ]
    operator: Literal[
        "contains", "not_contains", "equals", "not_equals", "starts_with", "ends_with", "matches", "exists",
        "not_exists", "greater_than", "less_than",
    ]  # fmt: skip
    value: str = ""
    name: str = ""  # of a header field


class RuleGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions of which any or all must hold."""

    match: Literal["any", "all"] = "all"
    conditions: tuple[Condition, ...] = ()


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """All groups must hold. Of a workspace's filters the first that matches, by position, decides."""

    id: str
    workspace: int
    name: str
    action: FilterAction
    groups: tuple[RuleGroup, ...]
    position: int = 0  # from 1; 0: behind all others
    active: bool = True
    address: str | None = None  # id of the only address that it is for
    created_at: int = 0


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who has changed what."""

    at: int
    actor: str  # "key 7", "command", "digest link", "schedule", …
    action: str  # "accept", "reject", "redeliver", "delete", "contact", "address", "filter", …
    subject: str  # id of what was changed
    detail: str = ""
