"""Senders and messages of a workspace: of the ledger where the gateway takes its mail, else of the mail log. Blocking.

A workspace whose mail does not pass the gateway still has what its mail servers log. What came in is, of that, the mail
to domains that those servers hand to a mailbox of their own (`LOCAL`), and to those that people name beside
(`Team.logged_domains`): relays log nothing that tells mail that comes in from mail that goes out. What people decided
about senders is the ledger's in both cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Literal

import msgspec

from mailvane.core.tenants.store import TenantStore
from mailvane.inbound import logged
from mailvane.inbound.model import AuditEntry, Contact, ContactState, Message, MessageStatus
from mailvane.inbound.questions import ContactPage, ContactQuestion, MessagePage, MessageQuestion
from mailvane.inbound.store.contacts import Seen
from mailvane.inbound.stores import InboundStores
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import MailKind
from mailvane.maillog.queries import (
    LogQuestion,
    Match,
    Pattern,
    RefusedQuestion,
    SenderQuestion,
    TallyQuestion,
    Term,
)

LOCAL = ("local", "virtual", "lmtp", "pipe")  # Postfix's transports that end in a mailbox
_MOST_DOMAINS = 10_000
_AT_ONCE = 10_000  # rows of one question
_ORDERS: dict[str, Literal["mails", "address", "first_at", "last_at"]] = {
    "email_count": "mails", "email": "address", "name": "address", "first_seen_at": "first_at",
    "last_seen_at": "last_at",
}  # fmt: skip


class Source(StrEnum):
    """Where what is told of a workspace's inbound mail comes from."""

    GATEWAY = "gateway"
    LOG = "log"
    NONE = "none"

    @property
    def why_nothing_is_held(self) -> str:
        """For people; empty where the gateway holds what it has to."""
        return {
            Source.GATEWAY: "",
            Source.LOG: "No domain's mail comes in through the gateway of this server. Contacts and messages are those"
            " of the mail log, which tells of mail that was delivered already: nothing in it can be held.",
            Source.NONE: "No domain's mail comes in through the gateway of this server, and no mail server logs to this"
            " workspace: there is nothing that could be held.",
        }[self]


class ReceivedMail:
    """What came in, for any number of threads."""

    def __init__(
        self,
        stores: InboundStores,
        tenants: TenantStore,
        maillog: Callable[[], AbstractContextManager[MailLog]],
    ) -> None:
        """`maillog` opens it for as long as it is needed, and only where it is."""
        self._stores = stores
        self._tenants = tenants
        self._maillog = maillog

    def source(self, workspace: int) -> Source:
        """The gateway, as soon as a domain's mail is to come in through it, and as long as it has messages."""
        if self._stores.domains.domains(workspace) or self._stores.pages.has_any(workspace):
            return Source.GATEWAY
        return Source.LOG if self._tenants.relays(workspace) else Source.NONE

    def logged_domains(self, workspace: int) -> list[str]:
        """The domains whose mail the log shows coming in."""
        with self._maillog() as maillog:
            return list(self._domains(maillog, workspace))

    def contacts(self, question: ContactQuestion, offset: int = 0, limit: int = 25) -> ContactPage:
        """A part of the senders, and how many there are in all."""
        if self.source(question.workspace) is not Source.LOG:
            return self._stores.contacts.page(question, offset, limit)
        known = self._stores.contacts.known(question.workspace)
        with self._maillog() as maillog:
            asked = self._sender_question(maillog, question, known)
            found, total = [], 0
            for skip, size in _parts(offset, limit):
                page = maillog.senders(msgspec.structs.replace(asked, skip=skip, limit=size))
                found += page.senders
                total = page.total
                if skip + size >= total:
                    break
        return ContactPage(total, [logged.contact(one, question.workspace, known.get(one.address)) for one in found])

    def contact(self, workspace: int, contact_id: str) -> Contact | None:
        """By id, or by address; of a sender that only the log knows, too."""
        known = self._stores.contacts.contact(workspace, contact_id.lower() if "@" in contact_id else contact_id)
        if self.source(workspace) is not Source.LOG:
            return known
        if known is None and "@" not in contact_id and not logged.is_contact_id(contact_id):
            return None
        with self._maillog() as maillog:
            asked = SenderQuestion(
                workspace=workspace, relays=self._relays(workspace), domains=self._domains(maillog, workspace), limit=1
            )
            address = known.email if known else contact_id.lower() if "@" in contact_id else None
            if address is None:
                asked = msgspec.structs.replace(asked, uuid=(str(logged.CONTACTS), contact_id))
            else:
                asked = msgspec.structs.replace(asked, only=(address,))
            found = maillog.senders(asked).senders
        return logged.contact(found[0], workspace, known) if found else known

    def decide(
        self, workspace: int, contact_id: str, change: Callable[[Contact], Contact], entry: AuditEntry
    ) -> Contact:
        """Store what the function makes of a sender. Raises NotFound."""
        found = self.contact(workspace, contact_id)
        if found is None:
            return self._stores.contacts.change(workspace, contact_id, change, entry)
        if self.source(workspace) is Source.LOG:
            self._stores.contacts.meet(workspace, {found.email: Seen(0, found.first_seen_at, "")})
        changed = self._stores.contacts.change(workspace, found.email, change, entry)
        return msgspec.structs.replace(
            changed, email_count=found.email_count, first_seen_at=found.first_seen_at, last_seen_at=found.last_seen_at
        )

    def messages(self, question: MessageQuestion, offset: int = 0, limit: int = 25) -> MessagePage:
        """A part of the messages, and how many there are in all. No score is known of what was only logged."""
        if self.source(question.workspace) is not Source.LOG:
            return self._stores.pages.page(question, offset, limit)
        if question.statuses == (MessageStatus.REJECTED,):
            return self._refused(question, offset, limit)
        statuses = logged.statuses(question.statuses)
        author = self._author(question)
        if statuses == () or author == "" or question.address is not None:
            return MessagePage(0, [])
        with self._maillog() as maillog:
            asked = self._log_question(maillog, question.workspace)
            if not asked.domains:
                return MessagePage(0, [])
            terms = logged.terms(question, statuses, author)
            page = maillog.search(
                msgspec.structs.replace(
                    asked, since=question.since, until=None if question.until is None else question.until - 1,
                    terms=terms, skip=offset, limit=limit, ascending=question.ascending,
                )
            )  # fmt: skip
        return MessagePage(page.total, [logged.message(one, question.workspace) for one in page.deliveries])

    def message(self, workspace: int, message_id: str) -> Message | None:
        """The one of that id."""
        key = logged.key_of(message_id)
        if key is None or self.source(workspace) is not Source.LOG:
            return self._stores.messages.message(workspace, message_id)
        relay, mail, place = key
        if relay not in self._relays(workspace):
            return None
        with self._maillog() as maillog:
            asked = self._log_question(maillog, workspace)
            page = maillog.search(msgspec.structs.replace(asked, relays=(relay,), mail_id=mail, limit=_AT_ONCE))
        found = next((one for one in page.deliveries if one.recipient_number == place), None)
        return None if found is None else logged.message(found, workspace)

    def counts(self, workspace: int) -> dict[MessageStatus, int]:
        """How many there are of each status."""
        if self.source(workspace) is not Source.LOG:
            return self._stores.pages.counts(workspace)
        counts = dict.fromkeys(MessageStatus, 0)
        with self._maillog() as maillog:
            asked = self._log_question(maillog, workspace)
            if not asked.domains:
                return counts
            for one in maillog.tally(TallyQuestion(asked, "status", len(MessageStatus))):
                counts[logged.status(one.value)] += one.count
            refused = RefusedQuestion(workspace=workspace, relays=asked.relays, domains=asked.domains, limit=0)
            counts[MessageStatus.REJECTED] = maillog.refused(refused).total
        return counts

    def used(self, workspace: int, week: int) -> int:
        """Messages that came since a week began."""
        if self.source(workspace) is not Source.LOG:
            return self._stores.teams.used(workspace, week)
        with self._maillog() as maillog:
            asked = msgspec.structs.replace(self._log_question(maillog, workspace), since=week, limit=0)
            return maillog.search(asked).total if asked.domains else 0

    def by_id(self, workspace: int, messages: Sequence[Message]) -> dict[str, Contact]:
        """The senders of messages, by id."""
        if self.source(workspace) is not Source.LOG:
            return self._stores.contacts.by_id(workspace, sorted({one.contact for one in messages}))
        authors = {logged.author(one): one.contact for one in messages}
        known = self._stores.contacts.by_email(workspace, sorted(authors))
        return {
            contact: known.get(email) or Contact(id=contact, workspace=workspace, email=email)
            for email, contact in authors.items()
        }

    def _refused(self, question: MessageQuestion, offset: int, limit: int) -> MessagePage:
        author = self._author(question)
        if author == "" or question.address is not None:
            return MessagePage(0, [])
        with self._maillog() as maillog:
            asked = self._log_question(maillog, question.workspace)
            if not asked.domains:
                return MessagePage(0, [])
            page = maillog.refused(
                RefusedQuestion(
                    workspace=question.workspace, relays=asked.relays, domains=asked.domains,
                    sender=question.sender or author, recipient=question.recipient, since=question.since,
                    until=None if question.until is None else question.until - 1, skip=offset, limit=limit,
                    ascending=question.ascending,
                )
            )  # fmt: skip
        return MessagePage(page.total, [logged.refused(one, question.workspace) for one in page.refused])

    def _author(self, question: MessageQuestion) -> str | None:
        """Whose messages are asked for; empty: of somebody who is not known."""
        if question.contact is None:
            return None
        found = self.contact(question.workspace, question.contact)
        return found.email if found else ""

    def _sender_question(
        self, maillog: MailLog, question: ContactQuestion, known: dict[str, Contact]
    ) -> SenderQuestion:
        decided = {email for email, one in known.items() if one.state is not ContactState.UNSET}
        beside: tuple[str, ...] = tuple(sorted(known))
        only: tuple[str, ...] | None = None
        without: tuple[str, ...] = ()
        if question.state is ContactState.UNSET:
            without = tuple(sorted(decided))
        elif question.state is not None:
            beside = only = tuple(sorted(email for email, one in known.items() if one.state is question.state))
        return SenderQuestion(
            workspace=question.workspace, relays=self._relays(question.workspace),
            domains=self._domains(maillog, question.workspace), beside=beside, only=only, without=without,
            text=question.text or None, order=_ORDERS[question.order], ascending=question.ascending,
        )  # fmt: skip

    def _log_question(self, maillog: MailLog, workspace: int) -> LogQuestion:
        return LogQuestion(
            workspace=workspace, relays=self._relays(workspace), domains=self._domains(maillog, workspace)
        )

    def _relays(self, workspace: int) -> tuple[int, ...]:
        return tuple(relay.id for relay in self._tenants.relays(workspace))

    def _domains(self, maillog: MailLog, workspace: int) -> tuple[str, ...]:
        near = Term("transport", tuple(Pattern(name, Match.WHOLE) for name in LOCAL))
        log = LogQuestion(
            workspace=workspace, relays=self._relays(workspace), terms=(near,), delivered=True, kinds=tuple(MailKind)
        )
        found = {one.value.lower() for one in maillog.tally(TallyQuestion(log, "recipient_domain", _MOST_DOMAINS))}
        return tuple(sorted({*found, *self._stores.teams.team(workspace).logged_domains} - {""}))


def _parts(offset: int, limit: int) -> Iterator[tuple[int, int]]:
    """A long stretch as questions of a size that is answered."""
    if not limit:
        yield offset, 0
    for skip in range(offset, offset + limit, _AT_ONCE):
        yield skip, min(_AT_ONCE, offset + limit - skip)
