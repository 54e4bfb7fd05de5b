"""The mailboxes themselves over the SendKit API: list, one, create, change, health. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mailvane.mailboxes.model import Mailbox, MailboxQuestion, Server
from mailvane.mailboxes.performance import NOTHING, Totals, Window
from mailvane.mailboxes.sendkit import objects, parameters, shape
from mailvane.mailboxes.sendkit.parameters import Rows
from mailvane.mailboxes.services import MailboxServices
from mailvane.mailboxes.warmup import Placement, placement
from mailvane.web.endpoints import Asked

_GOOD, _FAIR = 80, 50  # ours: where `warmupHealth` begins to be good, and fair


def listed(services: MailboxServices, asked: Asked) -> shape.Listed[objects.MailboxObject]:
    part = parameters.rows(asked)
    page = services.mailboxes.page(_narrowed(services, asked, parameters.question(asked, part)))
    totals = services.mailboxes.totals_of(asked.workspace, page.mailboxes, asked.now)
    warmed = warmed_up(services, asked.workspace, page.mailboxes)
    rows = [
        objects.listed(one, totals.get(one.address, Totals()), warmed[one.address], asked.now) for one in page.mailboxes
    ]
    return shape.Listed(True, rows, pagination(part, page.total, page.mailboxes[-1:] if page.more else []))


def pagination(part: Rows, total: int, last: Sequence[Mailbox]) -> shape.Pagination:
    """`last`: the last mailbox of the page, if there are more behind it."""
    if part.page is not None:
        return shape.Pagination(limit=part.limit, page=part.page, total=total, pages=-(-total // part.limit))
    return shape.Pagination(limit=part.limit, nextCursor=last[0].id if last else None, hasMore=bool(last))


def show(services: MailboxServices, asked: Asked) -> shape.Answer[objects.MailboxDetail]:
    return _detail(services, services.mailboxes.mailbox(asked.workspace, asked.path["mailbox_id"], asked.now), asked)


def create(services: MailboxServices, asked: Asked) -> shape.Answer[objects.MailboxDetail]:
    given = parameters.body(parameters.MailboxBody, asked)
    fields = parameters.fields(given)
    for name in ("smtp", "imap"):
        server = getattr(given, name)
        if server is not None:
            fields[name] = Server(server.host, server.port, server.secure)
    return _detail(services, services.mailboxes.create(asked.workspace, given.email, fields, asked.now), asked)


def change(services: MailboxServices, asked: Asked) -> shape.Answer[objects.MailboxDetail]:
    fields = parameters.fields(parameters.body(parameters.MailboxChange, asked))
    changed = services.mailboxes.change(asked.workspace, asked.path["mailbox_id"], fields, asked.now)
    return _detail(services, changed, asked)


def health(services: MailboxServices, asked: Asked) -> shape.Answer[objects.Health]:
    """Asks DNS, and keeps the score."""
    mailbox = services.mailboxes.mailbox(asked.workspace, asked.path["mailbox_id"], asked.now)
    found = services.ask_dns(mailbox.domain)
    services.mailboxes.keep_health(mailbox, found, asked.now)
    totals = services.mailboxes.totals_of(asked.workspace, [mailbox], asked.now)[mailbox.address]
    warmed = warmed_up(services, asked.workspace, [mailbox])[mailbox.address]
    return shape.ok(objects.health(mailbox, found, totals, warmed, asked.now))


def warmed_up(
    services: MailboxServices, workspace: int, mailboxes: Sequence[Mailbox], since: int = 0
) -> Mapping[str, Placement]:
    """What became of mails from a mailbox since its warm-up began, by address; nothing where none did."""
    scope, found = services.mailboxes.scope(workspace), {one.address: placement(NOTHING) for one in mailboxes}
    by_start: dict[int, list[str]] = {}
    for one in mailboxes:
        if one.warmup.started_at:
            by_start.setdefault(max(since, one.warmup.started_at), []).append(one.address)
    for start, addresses in by_start.items():
        counts = services.mailboxes.figures.of_senders(scope, addresses, Window(start))
        found |= {address: placement(counts[address]) for address in addresses if address in counts}
    return found


def _detail(services: MailboxServices, mailbox: Mailbox, asked: Asked) -> shape.Answer[objects.MailboxDetail]:
    totals = services.mailboxes.totals_of(asked.workspace, [mailbox], asked.now)[mailbox.address]
    warmed = warmed_up(services, asked.workspace, [mailbox])[mailbox.address]
    return shape.ok(objects.detail(mailbox, totals, warmed, asked.now))


def _narrowed(services: MailboxServices, asked: Asked, question: MailboxQuestion) -> MailboxQuestion:
    """With the filters that the mail log answers: bounces, campaigns, warm-up health."""
    query, only = asked.query, _Only()
    figures, scope = services.mailboxes.figures, services.mailboxes.scope(asked.workspace)
    bounces = parameters.bounce_range(query)
    if bounces.filters:
        ever = figures.by_sender(scope, Window(), brief=True)
        outside = [address for address, one in ever.items() if not bounces.holds(one.bounced / one.sent)]
        if bounces.holds(0.0):
            only.but |= set(outside)  # mailboxes that never sent have no bounces
        else:
            only.keep(set(ever) - set(outside))
    if idents := parameters.names(query, "campaignIds"):
        names = [figures.campaign(scope, ident, asked.now).name for ident in idents]
        only.keep({sender for name in names for sender in figures.senders_of(scope, name)})
    if ident := query.get("notInCampaign", "").strip():
        only.but |= set(figures.senders_of(scope, figures.campaign(scope, ident, asked.now).name))
    if (active := parameters.flag(query, "inActiveCampaign")) is not None:
        campaigns = [one.name for one in figures.campaigns(scope, asked.now) if one.active]
        senders = {sender for name in campaigns for sender in figures.senders_of(scope, name)}
        if active:
            only.keep(senders)
        else:
            only.but |= senders
    wanted = parameters.word(query, "warmupHealth", parameters.HEALTHS)
    kind = parameters.word(query, "connectionType", parameters.CONNECTIONS)
    if wanted or kind:
        _of_each(services, asked.workspace, wanted, kind, only)
    addresses = None if only.addresses is None else tuple(sorted(only.addresses))
    return msgspec.structs.replace(question, addresses=addresses, but=tuple(sorted(only.but)))


class _Only:
    """Which mailboxes are left; None: all."""

    def __init__(self) -> None:
        self.addresses: set[str] | None = None
        self.but: set[str] = set()

    def keep(self, addresses: set[str]) -> None:
        self.addresses = addresses if self.addresses is None else self.addresses & addresses


def _of_each(services: MailboxServices, workspace: int, health: str, connection: str, only: _Only) -> None:
    every = services.mailboxes.every(workspace)
    if health:
        warmed = warmed_up(services, workspace, every)
        only.keep({one.address for one in every if one.warmup.started_at and _health(warmed[one.address]) == health})
    if connection:
        only.keep({one.address for one in every if objects.connection_type(one.provider) == connection})


def _health(one: Placement) -> str:
    return "good" if one.health_score >= _GOOD else "fair" if one.health_score >= _FAIR else "poor"
