"""Making tracking links of a mail, before it is sent. Blocking."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address
from mailvane.mailboxes.tracking.links import Link, LinkKind, MailName, read_message_id, read_target
from mailvane.mailboxes.tracking.services import TrackingServices
from mailvane.mailboxes.tracking.tagging import Tagged
from mailvane.maillog.model import parse_mail_id
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json

_MOST_LINKS = 200
LARGEST = 512 * 1024  # bytes of a request


class LinksBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mail to one recipient, by the Message-ID that it will have, or by its id in the mail log."""

    recipient: Annotated[str, Meta(min_length=3, max_length=512)]
    message_id: Annotated[str, Meta(max_length=1000)] | None = None
    mail_id: str | None = None
    relay: Annotated[int, Meta(ge=1)] | None = None  # of `mail_id`; may be left out when the workspace has one
    open: bool = True  # whether a pixel is made
    links: Annotated[tuple[str, ...], Meta(max_length=_MOST_LINKS)] = ()  # every link of the mail that is tracked
    unsubscribe: bool = False  # whether a link to unsubscribe is made


class TrackedLink(msgspec.Struct, frozen=True):
    """Where a link leads, and the URL to put in its place."""

    target: str
    url: str


class UnsubscribeLink(msgspec.Struct, frozen=True):
    """The URL, and the headers of RFC 8058 for the mail."""

    url: str
    headers: dict[str, str]


class LinksShape(msgspec.Struct, frozen=True):
    """What to put into the mail; null: not asked for."""

    pixel: str | None
    links: list[TrackedLink]
    unsubscribe: UnsubscribeLink | None


def make_links(services: TrackingServices, asked: Asked) -> LinksShape:
    """Raises InvalidFields, InvalidInput, StoreUnavailable."""
    given = read_json(LinksBody, asked.body)
    mail = _mail(services, asked.workspace, given)
    targets = [read_target(text) for text in given.links]

    def url(kind: LinkKind, place: int = 0, target: str = "") -> str:
        link = Link(asked.workspace, kind, asked.now, mail, place, len(targets), target)
        return services.url(link, asked.now)

    return LinksShape(
        url(LinkKind.OPEN) if given.open else None,
        [TrackedLink(target, url(LinkKind.CLICK, place, target)) for place, target in enumerate(targets, 1)],
        _unsubscribing(url(LinkKind.UNSUBSCRIBE)) if given.unsubscribe else None,
    )


def _unsubscribing(url: str) -> UnsubscribeLink:
    headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return UnsubscribeLink(url, headers)


def _mail(services: TrackingServices, workspace: int, given: LinksBody) -> MailName:
    """Raises InvalidInput."""
    recipient = canonical_address(given.recipient.strip())
    if not recipient.isprintable() or "@" not in recipient:
        raise InvalidInput("recipient: expected a mail address")
    if (given.message_id is None) == (given.mail_id is None):
        raise InvalidInput("name the mail by `message_id` or by `mail_id`")
    if given.message_id is not None:
        return MailName(recipient, read_message_id(given.message_id))
    accepted_at, number = parse_mail_id(given.mail_id or "")
    return MailName(recipient, "", services.relay(workspace, given.relay), accepted_at, number)


class TagBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail that was replied to, by its id in the mail log; the newest word holds."""

    mail_id: str
    recipient: Annotated[str, Meta(min_length=3, max_length=512)]  # who replied
    positive: bool
    relay: Annotated[int, Meta(ge=1)] | None = None  # may be left out when the workspace has one


def tag(services: TrackingServices, asked: Asked) -> None:
    """Raises InvalidFields, InvalidInput, StoreUnavailable."""
    given = read_json(TagBody, asked.body)
    recipient = canonical_address(given.recipient.strip())
    services.tagging.tag(asked.workspace, Tagged(given.mail_id, recipient, given.positive, given.relay), asked.now)
