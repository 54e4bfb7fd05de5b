"""The digest as a mail: what is held for one address, with links to decide. Pure but for the signing of links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from mailvane.inbound.digest.links import Decision
from mailvane.inbound.model import Message
from mailvane.notify.letters import amount, letter, templates_of
from mailvane.notify.notifier import RenderedEmail

MOST_LISTED = 100  # messages of a mail: it must stay small enough to be taken


class Row(msgspec.Struct, frozen=True):
    """A held message."""

    sender: str
    subject: str
    received: str
    score: str
    accept: str  # URL
    reject: str  # URL


def letter_of(
    recipient: str, held: Sequence[Message], total: int, zone: ZoneInfo, link: Callable[[Message, Decision], str]
) -> RenderedEmail:
    """`held`: the newest first; `total`: how many there are with those that are not listed."""
    rows = [_row(message, zone, link) for message in held[:MOST_LISTED]]
    given = {"recipient": recipient, "rows": rows, "total": total, "more": total - len(rows)}
    subject = f"[Mailvane] {amount(total, 'mail')} held for {recipient}"
    return letter(templates_of("mailvane.inbound.digest"), "digest", subject, given)


def _row(message: Message, zone: ZoneInfo, link: Callable[[Message, Decision], str]) -> Row:
    received = datetime.fromtimestamp(message.received_at / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    sender = message.from_address or message.sender or "(nobody)"
    return Row(
        sender=f"{message.from_name} <{sender}>" if message.from_name else sender,
        subject=message.subject or "(no subject)",
        received=received,
        score="no score" if message.score is None else f"score {message.score:g}",
        accept=link(message, Decision.ACCEPT),
        reject=link(message, Decision.REJECT),
    )
