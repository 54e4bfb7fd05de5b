"""Says of a mail whether the reply to it is a wanted one: an event like any other, so the newest word holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, parse_mail_id

SOURCE = "tag"


class Tagged(NamedTuple):
    """The mail that was replied to, and what the reply is worth."""

    mail_id: str
    recipient: str
    positive: bool
    relay: int | None = None  # None: the workspace has one


class Tagging:
    """Any number of threads may use one."""

    def __init__(self, tenancy: Tenancy, record: Callable[[JournalEntry, int], object]) -> None:
        self._tenancy = tenancy
        self._record = record

    def tag(self, workspace: int, tagged: Tagged, now: int) -> None:
        """Durable when it returns. Raises InvalidInput, NotFound, StoreUnavailable."""
        accepted_at, number = parse_mail_id(tagged.mail_id)
        relays = [relay.id for relay in self._tenancy.relays(workspace)]
        if tagged.relay is None and len(relays) != 1:
            raise InvalidInput("name the relay: the workspace " + ("has several" if relays else "has none"))
        relay = relays[0] if tagged.relay is None else tagged.relay
        if relay not in relays:
            raise InvalidInput(f"the workspace has no relay {relay}")
        event = MailEvent(
            relay=relay, accepted_at=accepted_at, number=number, type=EventType.TAGGED, at=now,
            recipient=tagged.recipient, positive=tagged.positive, source=SOURCE,
        )  # fmt: skip
        retention = self._tenancy.workspace_of(workspace).retention_days
        token = f"{SOURCE}:{workspace}:{relay}:{tagged.mail_id}:{tagged.recipient}:{tagged.positive}:{now}"
        self._record(JournalEntry(batch=EventBatch(token, workspace, retention, [event])), now)
