"""Sends digests: to each address, what is held for it. One that fails keeps no other from its mail."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import MailvaneError
from mailvane.inbound.digest.letter import MOST_LISTED, letter_of
from mailvane.inbound.digest.links import Decision
from mailvane.inbound.digest.pages import PATH
from mailvane.inbound.model import Address, Message, MessageStatus
from mailvane.inbound.questions import AddressQuestion, MessageQuestion
from mailvane.inbound.services import InboundServices
from mailvane.notify.email import Email
from mailvane.notify.model import Channel, Notification
from mailvane.notify.notifier import Refused, RenderedEmail
from mailvane.notify.settings import OutgoingMail

_MOST_ADDRESSES = 2**31


class Digest(msgspec.Struct, frozen=True):
    """What became of the digest of one address."""

    address: str
    held: int
    problem: str = ""  # empty: it was sent


class Digests:
    """Of a server that is known under this URL."""

    def __init__(self, services: InboundServices, mail: OutgoingMail, url: str, zone: ZoneInfo) -> None:
        self._services = services
        self._mail = mail
        self._url = url.rstrip("/")
        self._zone = zone

    async def send(self, workspace: int, day: str, now: int, *, once: bool = False) -> list[Digest]:
        """To every active address of the workspace for which something is held; once: and that was not told that day.

        Raises Refused, StoreUnavailable.
        """
        if not self._mail.host:
            raise Refused("no mail server is set: host of [reputation.mail]")
        found = self._services.stores.addresses.page(AddressQuestion(workspace=workspace), 0, _MOST_ADDRESSES)
        told = self._services.stores.digests.told(workspace, day) if once else set[str]()
        sent = []
        for address in found.addresses:
            digest = self.of(address, now) if address.active and address.id not in told else None
            if digest is None:
                continue
            rendered, held = digest
            try:
                await Email(self._mail, _always(rendered)).deliver(_notification(address, day, now), now)
            except MailvaneError as error:
                sent.append(Digest(address.address, held, error.message))
            else:
                if once:
                    self._services.stores.digests.tell(workspace, address.id, day)
                sent.append(Digest(address.address, held))
        return sent

    def of(self, address: Address, now: int) -> tuple[RenderedEmail, int] | None:
        """The mail, and how many messages are held; None: nothing is."""
        question = MessageQuestion(
            workspace=address.workspace, address=address.id, statuses=(MessageStatus.QUARANTINED,)
        )
        page = self._services.stores.pages.page(question, 0, MOST_LISTED)
        if not page.total:
            return None

        def link(message: Message, decision: Decision) -> str:
            token = self._services.links.token(address.workspace, message.id, decision, now)
            return f"{self._url}{PATH}?t={token}"

        return letter_of(address.address, page.messages, page.total, self._zone, link), page.total


def _always(rendered: RenderedEmail) -> Callable[[Notification], RenderedEmail]:
    return lambda _notification: rendered


def _notification(address: Address, day: str, now: int) -> Notification:
    """With an id that stays for the day, so that a digest that comes twice is known to be the same."""
    who = sha256(address.id.encode()).hexdigest()[:16]
    return Notification(
        id=f"held_{day}_{who}", workspace=address.workspace, channel=Channel.EMAIL, target=address.address, body={},
        created_at=now,
    )  # fmt: skip
