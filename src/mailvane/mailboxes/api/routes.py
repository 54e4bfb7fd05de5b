"""The paths of mailboxes in Mailvane's own interface, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.mailboxes.api import mailboxes, shape, tracking
from mailvane.mailboxes.model import MailboxRule
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.tracking.services import TrackingServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, Pool, RouteTable


def _rows() -> Iterator[Endpoint]:
    path, pool = "/mailboxes", Pool.MAIL_LOG
    one = f"{path}/{{mailbox_id:str}}"
    yield Endpoint(
        "get", path, "mailboxes_list", "Mailboxes, and how their mail fares", mailboxes.listed, shape.MailboxList,
        pool=pool, query=mailboxes.LIST,
    )  # fmt: skip
    yield Endpoint(
        "post", path, "mailboxes_create", "A new mailbox", mailboxes.create, shape.MailboxShape, mailboxes.NewMailbox,
        201, refusals=(409,),
    )  # fmt: skip
    yield Endpoint(
        "get", one, "mailboxes_show", "One, by its id or address", mailboxes.show, shape.MailboxFigures, pool=pool,
        query=mailboxes.RANGE,
    )  # fmt: skip
    yield Endpoint(
        "patch", one, "mailboxes_change", "Change it", mailboxes.change, shape.MailboxShape, mailboxes.MailboxTerms
    )
    yield Endpoint(
        "post", f"{one}/warmup", "mailboxes_warm", "Begin, pause, resume or stop its warm-up", mailboxes.warm,
        shape.MailboxShape, mailboxes.WarmupChange,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{one}/daily", "mailboxes_daily", "Its days", mailboxes.daily, list[shape.DayFigures], pool=pool,
        query=mailboxes.RANGE,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{one}/health", "mailboxes_health", "What DNS says of its domain", mailboxes.health, shape.HealthShape,
        pool=Pool.OUTSIDE,
    )  # fmt: skip
    yield Endpoint(
        "get", "/campaigns", "mailboxes_campaigns", "Campaigns, and how their mail fares", mailboxes.campaigns,
        list[shape.CampaignFigures], pool=pool,
    )  # fmt: skip
    yield Endpoint(
        "get", "/mailbox-rule", "mailboxes_rule", "Which senders become mailboxes by themselves", mailboxes.rule,
        MailboxRule,
    )  # fmt: skip
    yield Endpoint(
        "put", "/mailbox-rule", "mailboxes_set_rule", "Say which senders do", mailboxes.set_rule, MailboxRule,
        mailboxes.RuleBody,
    )  # fmt: skip


ROUTES = RouteTable([*_rows()], MailboxServices, NATIVE, ("Mailboxes", "Native"), NATIVE_PREFIX)
_TRACKING = [
    Endpoint(
        "post", "/tracking/links", "tracking_links", "Make the tracking links of a mail", tracking.make_links,
        tracking.LinksShape, tracking.LinksBody, largest=tracking.LARGEST,
    ),
    Endpoint(
        "post", "/replies/tag", "replies_tag", "Say whether the reply to a mail is a wanted one", tracking.tag, None,
        tracking.TagBody, 204,
    ),
]  # fmt: skip
TRACKING = RouteTable(_TRACKING, TrackingServices, NATIVE, ("Mailboxes", "Native"), NATIVE_PREFIX)
