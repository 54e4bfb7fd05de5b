"""One held mail, for who decides about it: from whom it says it is, what speaks for and against it, its text.

Text only: no picture and no link of it is ever loaded. Values as senders wrote them; the template escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.mailbox import domain_of
from mailvane.dashboard.rendering import span
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.inbound.model import Contact, ContactState, Message, MessageStatus
from mailvane.inbound.reply_text import reply_text

_SHOWN = 900  # characters of its text
_SYMBOLS = 5
_RESULTS = {"pass": "ok", "fail": "bad", "softfail": "warn", "none": "none", "neutral": "none"}
_STATES = {
    ContactState.WHITELISTED: "ok",
    ContactState.PRIORITIZED: "ok",
    ContactState.BLOCKED: "bad",
    ContactState.MUTED: "none",
    ContactState.UNSET: "unknown",
}


class Speaks(msgspec.Struct, frozen=True):
    """For or against it."""

    mark: str
    told: str
    more: str = ""


class HeldMail(msgspec.Struct, frozen=True):
    message: Message
    speaks: Sequence[Speaks]
    text: str  # empty: there is none, or it is kept no longer
    is_kept: bool

    @property
    def is_held(self) -> bool:
        return self.message.status is MessageStatus.QUARANTINED


def held_mail(services: DashboardServices, visit: Visit, one: Message) -> HeldMail:
    contact = services.inbound.stores.contacts.by_id(visit.workspace.id, [one.contact]).get(one.contact)
    content = services.inbound.content(one.content) if one.content else None
    text = reply_text(content)[:_SHOWN] if content else ""
    return HeldMail(one, list(_speaks(one, contact, visit.now)), text, content is not None)


def _speaks(one: Message, contact: Contact | None, now: int) -> Iterator[Speaks]:
    if one.sender and domain_of(one.sender).lower() != domain_of(one.from_address).lower():
        yield Speaks("warn", f"The envelope is of another domain: {domain_of(one.sender)}", f"sent by {one.sender}")
    results = _mapping(one.authentication)
    told = [(name.upper(), str(results[name])) for name in ("spf", "dkim", "dmarc") if results.get(name)]
    for name, result in told:
        yield Speaks(_RESULTS.get(result, "unknown"), f"{name}: {result}")
    if not told:
        yield Speaks("unknown", "SPF, DKIM and DMARC are unknown", "nothing that checks them told of this mail")
    if contact is not None:
        times = "once" if contact.email_count <= 1 else f"{contact.email_count:,} times"
        since = f"first {span(max(now - contact.first_seen_at, 0))} ago" if contact.first_seen_at else ""
        state = "nobody decided about this sender" if contact.state is ContactState.UNSET else contact.state.value
        yield Speaks(_STATES[contact.state], f"{contact.email} wrote {times}", ", ".join(filter(None, (since, state))))
    if one.score is not None:
        yield Speaks("warn", f"Spam score {one.score:g}", _symbols(one.symbols))
    if one.reason:
        yield Speaks("warn", one.reason)


def _symbols(text: str) -> str:
    """What the score is made of, the most first."""
    try:
        found = msgspec.json.decode(text, type=prepared(list[dict[str, Any]]))
    except msgspec.DecodeError:
        return ""
    scored = [(float(each.get("score") or 0), str(each.get("name", ""))) for each in found]
    return ", ".join(f"{name} {score:+g}" for score, name in sorted(scored, reverse=True)[:_SYMBOLS])


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = msgspec.json.decode(text, type=prepared(dict[str, Any]))
    except msgspec.DecodeError:
        return {}
    return found
