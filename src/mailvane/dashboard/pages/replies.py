"""Replies to mails, each to be told a wanted one or not: rates of wanted replies rest on these words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.log_places import place_of, place_text
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.mailboxes.tracking.tagging import Tagged
from mailvane.maillog.model import MailKind
from mailvane.maillog.queries import Delivery, LogQuestion, Match, Pattern, Place, ReplyPage, ReplyQuestion, Term
from mailvane.maillog.queries import Reply as MailReply

RANGES = {"7": 7, "30": 30, "90": 90}
TAGS = {"none": "not told yet", "positive": "wanted", "other": "not wanted", "all": "all"}
_ROWS = 50
_MOST_RECIPIENTS = 5000  # of the mails of a page


class Row(msgspec.Struct, frozen=True):
    """A reply, and the mail that it answers as far as that is known."""

    reply: MailReply
    sender: str
    subject: str
    place: str


def listed(services: DashboardServices, visit: Visit) -> Reply:
    days, tag = visit.asked("days", "30"), visit.asked("tag", "none")
    days, tag = days if days in RANGES else "30", tag if tag in TAGS else "none"
    number = visit.page_number()
    since = visit.now - RANGES[days] * DAY_MS
    page = _replies(services, visit, since, tag, (number - 1) * _ROWS)
    values = {
        "section": "Mailboxes",
        "drawn": services.changes.drawn(visit.workspace.id, visit.now),
        "rows": _rows(services, visit, page.replies),
        "total": page.total,
        "tag": tag,
        "with_tag": {each: (told, visit.with_query(tag=each, page="")) for each, told in TAGS.items()},
        "days": days,
        "with_days": {each: visit.with_query(days=each, page="") for each in RANGES},
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if number * _ROWS < page.total else "",
        "may_change": visit.visitor.may(visit.workspace.id, Role.OPERATOR),
        "back": visit.address,
    }
    return Html("replies.html", values)


def _replies(services: DashboardServices, visit: Visit, since: int, tag: str, skip: int) -> ReplyPage:
    relays = tuple(relay.id for relay in services.tenancy.relays(visit.workspace.id))
    if not relays:
        return ReplyPage(0, [])
    asked = {"workspace": visit.workspace.id, "relays": relays, "since": since, "skip": skip, "limit": _ROWS}
    if tag != "all":
        asked["tag"] = tag
    return services.maillog.replies(msgspec.convert(asked, prepared(ReplyQuestion)))


def _rows(services: DashboardServices, visit: Visit, replies: Sequence[MailReply]) -> list[Row]:
    mails = {each.mail_id for each in replies}
    known: dict[tuple[int, str], Delivery] = {}
    if mails:
        patterns = tuple(Pattern(mail, Match.WHOLE) for mail in sorted(mails))
        asked = LogQuestion(
            workspace=visit.workspace.id, relays=tuple(sorted({each.relay for each in replies})),
            kinds=tuple(MailKind), terms=(Term("id", patterns),), limit=_MOST_RECIPIENTS,
        )  # fmt: skip
        known = {(one.relay, one.mail_id): one for one in services.history.search(asked).deliveries}
    found = []
    for each in replies:
        mail = known.get((each.relay, each.mail_id))
        place = place_text(Place(each.accepted_at, each.number, each.relay, 0, each.recipient))
        found.append(Row(each, mail.header_from or mail.sender if mail else "", mail.subject if mail else "", place))
    return found


def tag(services: DashboardServices, visit: Visit) -> Reply:
    """Say of a reply whether it is wanted; the newest word holds."""
    word, place = visit.entered("word"), place_of(visit.entered("reply"))
    if word not in {"positive", "other"} or place is None:
        raise InvalidInput("choose a reply, and whether it is wanted")
    mail = MailReply(
        relay=place.relay, accepted_at=place.accepted_at, number=place.number, recipient=place.recipient,
        replied_at=0, tag="none", by_program=False,
    )  # fmt: skip
    tagged = Tagged(mail.mail_id, place.recipient, word == "positive", place.relay)
    services.tagging.tag(visit.workspace.id, tagged, visit.now)
    back = visit.entered("back")
    at = f"/ui/{visit.workspace.id}/mailboxes/replies"
    is_ours = back.partition("?")[0] == at and back.isascii() and back.isprintable()
    return Redirect(back if is_ours else at)


_AT = "/{workspace:int}/mailboxes/replies"
PAGES = (Page("get", _AT, listed), Page("post", _AT, tag, role=Role.OPERATOR))
