"""What Mailvane's own interface does with mailboxes. Blocking."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mailvane.core.errors import InvalidFields
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.api import shape
from mailvane.mailboxes.dates import read_bound
from mailvane.mailboxes.model import MOST_A_DAY, Mailbox, MailboxRule, MailboxStatus, passes
from mailvane.mailboxes.performance import SORTS, Performance, Window, in_order
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.warming import WarmupStep, stepped
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import read_json
from mailvane.web.parameters import number, part

_USUAL_ROWS, _MOST_ROWS = 100, 10_000
_DAYS = 30
_Count = Annotated[int, Meta(ge=0, le=MOST_A_DAY)]
_Text = Annotated[str, Meta(max_length=20_000)]
RANGE = (
    Parameter("from", "First day (UTC) or time of acceptance; left out: no bound."),
    Parameter("to", "Last day (UTC) or time of acceptance; left out: no bound."),
)
LIST = (
    *RANGE,
    Parameter("search", "A part of the address or the name."),
    Parameter("tag", "Only those with this tag."),
    Parameter(
        "sort", "By what, from `delivered` on by its share of what was sent; a minus in front turns the order.",
        {"type": "string", "enum": [f"{minus}{name}" for name in SORTS for minus in ("", "-")], "default": "address"},
    ),
    *part(_USUAL_ROWS, _MOST_ROWS),
)  # fmt: skip


class WarmupTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mails a day; what is left out stays."""

    start: _Count | UnsetType = UNSET
    step: _Count | UnsetType = UNSET
    target: _Count | UnsetType = UNSET


class MailboxTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every field is optional; what is left out stays. A limit of null is none."""

    display_name: _Text | UnsetType = UNSET
    status: MailboxStatus | UnsetType = UNSET
    sending_enabled: bool | UnsetType = UNSET
    hourly_limit: _Count | UnsetType | None = UNSET
    daily_limit: _Count | UnsetType | None = UNSET
    monthly_limit: _Count | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    signature: _Text | UnsetType = UNSET
    tracks_opens: bool | UnsetType | None = UNSET
    warmup: WarmupTerms | UnsetType = UNSET


class NewMailbox(MailboxTerms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mailbox that need not have sent yet."""

    address: Annotated[str, Meta(min_length=3, max_length=512)]


class WarmupChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do with the warm-up."""

    action: WarmupStep


class RuleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which senders become mailboxes by themselves: of these domains, `*.example.com` for all below; none: all."""

    domains: tuple[str, ...] = ()
    notice: bool = True


def listed(services: MailboxServices, asked: Asked) -> shape.MailboxList:
    found = services.mailboxes.performance(asked.workspace, window(asked), asked.now)
    search, tag = asked.query.get("search", ""), asked.query.get("tag", "")
    passing = _sorted(
        [one for one in found if passes(one.mailbox, search, tag)], asked.query.get("sort", "") or "address"
    )
    offset, limit = number(asked, "offset", 0, 2**31 - 1), number(asked, "limit", _USUAL_ROWS, _MOST_ROWS)
    return shape.MailboxList(len(passing), [shape.figures(one, asked.now) for one in passing[offset : offset + limit]])


def _sorted(found: list[Performance], sort: str) -> list[Performance]:
    """Raises InvalidFields."""
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise InvalidFields(("sort", f"expected one of {', '.join(SORTS)}, perhaps behind a minus"))
    return in_order(found, name, backwards=sort.startswith("-"))


def show(services: MailboxServices, asked: Asked) -> shape.MailboxFigures:
    found = services.mailboxes.performance_of(_mailbox(services, asked), window(asked), asked.now)
    return shape.figures(found, asked.now)


def create(services: MailboxServices, asked: Asked) -> shape.MailboxShape:
    given = read_json(NewMailbox, asked.body)
    blank = Mailbox(id="", workspace=asked.workspace, address="")
    made = services.mailboxes.create(asked.workspace, given.address, _fields(given, blank), asked.now)
    return shape.mailbox(made, asked.now)


def change(services: MailboxServices, asked: Asked) -> shape.MailboxShape:
    given = read_json(MailboxTerms, asked.body)
    found = _mailbox(services, asked)
    changed = services.mailboxes.change(asked.workspace, found.id, _fields(given, found), asked.now)
    return shape.mailbox(changed, asked.now)


def warm(services: MailboxServices, asked: Asked) -> shape.MailboxShape:
    step = read_json(WarmupChange, asked.body).action
    found = _mailbox(services, asked)
    changed = services.mailboxes.warm(
        asked.workspace, found.id, lambda warmup: stepped(warmup, step, asked.now), asked.now
    )
    return shape.mailbox(changed, asked.now)


def daily(services: MailboxServices, asked: Asked) -> list[shape.DayFigures]:
    """The last thirty days and today where nothing is said."""
    given, found = window(asked), _mailbox(services, asked)
    scope = services.mailboxes.scope(asked.workspace)
    known = services.mailboxes.figures.known(scope)
    span = given if given.since is not None else Window(asked.now // DAY_MS * DAY_MS - _DAYS * DAY_MS, given.until)
    rows = services.mailboxes.figures.daily(scope, span, found.address)
    return [shape.DayFigures(shape.day(row.day), row.sent, shape.rates(found, known, row)) for row in rows]


def health(services: MailboxServices, asked: Asked) -> shape.HealthShape:
    found = _mailbox(services, asked)
    dns = services.ask_dns(found.domain)
    services.mailboxes.keep_health(found, dns, asked.now)
    return shape.HealthShape(found.domain, dns.score, dns)


def campaigns(services: MailboxServices, asked: Asked) -> list[shape.CampaignFigures]:
    scope = services.mailboxes.scope(asked.workspace)
    known, anybody = services.mailboxes.figures.known(scope), Mailbox(id="", workspace=asked.workspace, address="")
    return [
        shape.CampaignFigures(
            one.id, one.name, one.active, one.counts.first_at, one.counts.last_at, one.counts.sent,
            shape.rates(anybody, known, one.counts),
        )
        for one in services.mailboxes.figures.campaigns(scope, asked.now)
    ]  # fmt: skip


def rule(services: MailboxServices, asked: Asked) -> MailboxRule:
    return services.mailboxes.rule(asked.workspace)


def set_rule(services: MailboxServices, asked: Asked) -> MailboxRule:
    given = read_json(RuleBody, asked.body)
    return services.mailboxes.set_rule(asked.workspace, given.domains, given.notice)


def window(asked: Asked) -> Window:
    """Raises InvalidFields, InvalidInput."""
    ends: dict[str, int | None] = {}
    for name in ("from", "to"):
        try:
            ends[name] = read_bound(asked.query.get(name, ""), last=name == "to")
        except ValueError:
            raise InvalidFields((name, "expected a day or time such as 2026-07-06 or 2026-07-06T12:00:00Z")) from None
    found = Window(ends["from"], ends["to"])
    found.check()
    return found


def _mailbox(services: MailboxServices, asked: Asked) -> Mailbox:
    return services.mailboxes.mailbox(asked.workspace, asked.path["mailbox_id"], asked.now)


def _fields(given: MailboxTerms, before: Mailbox) -> dict[str, Any]:
    """What is said, by the names of Mailbox."""
    fields = (name for name in MailboxTerms.__struct_fields__ if getattr(given, name) is not UNSET)
    found = {name: getattr(given, name) for name in fields}
    if isinstance(given.warmup, WarmupTerms):
        said = {name: value for name, value in msgspec.structs.asdict(given.warmup).items() if value is not UNSET}
        found["warmup"] = msgspec.structs.replace(before.warmup, **said)
    return found
