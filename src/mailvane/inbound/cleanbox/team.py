"""What a team has, and what it may have: usage, limits, domains, relays, room. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from mailvane.inbound.cleanbox import shape
from mailvane.inbound.cleanbox.parameters import BY_NAME, USUAL_ROWS, part
from mailvane.inbound.model import AddressType, InboundDomain
from mailvane.inbound.questions import AddressQuestion
from mailvane.inbound.services import InboundServices
from mailvane.inbound.weeks import week_start
from mailvane.web.endpoints import Asked

_MOST_ADDRESSES = 10_000  # of a relay in one answer


def show(services: InboundServices, asked: Asked) -> shape.Team:
    workspace = services.tenancy.workspace_of(asked.workspace)
    stores = services.stores
    team = stores.teams.team(workspace.id)
    week = week_start(asked.now, ZoneInfo(team.zone))
    return shape.Team(
        uuid=shape.team_id(workspace.id),
        name=workspace.name,
        usage=shape.WeeklyUsage(services.received.used(workspace.id, week), team.weekly_limit, shape.date(week)),
        limits=shape.TeamLimits(
            aliases=shape.Limit(stores.addresses.count(workspace.id, AddressType.ALIAS), team.aliases_limit),
            mailboxes=shape.Limit(stores.addresses.count(workspace.id, AddressType.MAILBOX), team.mailboxes_limit),
            domains=shape.Limit(len(stores.domains.domains(workspace.id)), team.domains_limit),
        ),
    )


def subscription(services: InboundServices, asked: Asked) -> shape.Subscription:
    team = services.stores.teams.team(asked.workspace)
    return shape.Subscription(
        plan=team.plan,
        status="active",
        price=shape.PlanPrice(0, "EUR", "month"),
        specifications=shape.Specifications(
            weekly_limit=team.weekly_limit,
            aliases=team.aliases_limit,
            mailboxes=team.mailboxes_limit,
            domains=team.domains_limit,
            retention_days=services.retention_days,
            cloud_bytes=team.content_limit,
        ),
    )


def domains(services: InboundServices, asked: Asked) -> shape.Listing:
    found = services.stores.domains.domains(asked.workspace)
    return _part(asked, [shape.domain(one) for one in found])


def relays(services: InboundServices, asked: Asked) -> shape.Listing:
    """The domains whose mail is passed on, with the addresses that have settings of their own."""
    question = AddressQuestion(workspace=asked.workspace, type=AddressType.RELAY)
    listed = services.stores.addresses.page(question, 0, _MOST_ADDRESSES).addresses
    found = [one for one in services.stores.domains.domains(asked.workspace) if _is_relay(one)]
    return _part(
        asked, [shape.relay(one, sorted(each.address for each in listed if each.domain == one.name)) for one in found]
    )


def _part(asked: Asked, rows: Sequence[Any]) -> shape.Listing:
    """A workspace has few domains: all are read, and a page is shown, in the order of names."""
    wanted = part(asked.query, USUAL_ROWS, BY_NAME)
    return shape.page(rows[wanted.offset : wanted.offset + wanted.per_page], wanted.page, wanted.per_page, len(rows))


def _is_relay(domain: InboundDomain) -> bool:
    return domain.unlisted == "pass"


def cloud(services: InboundServices, asked: Asked) -> shape.Cloud:
    return shape.Cloud(
        services.stores.pages.kept_bytes(asked.workspace), services.stores.teams.team(asked.workspace).content_limit
    )
