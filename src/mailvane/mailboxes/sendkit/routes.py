"""The paths of the SendKit API, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.mailboxes.sendkit import accounts, analytics, mailboxes, objects, parameters, shape, warmup
from mailvane.mailboxes.sendkit.shape import DIALECT, PREFIX, Answer, Listed
from mailvane.mailboxes.services import MailboxServices
from mailvane.web.endpoints import Endpoint, Pool, RouteTable

__all__ = ["DIALECT", "ROUTES"]

_MAILBOX = "/{mailbox_id:str}"
_CAMPAIGN = "/{campaign_id:str}"


def _analytics() -> Iterator[Endpoint]:
    path, pool, span = "/analytics", Pool.MAIL_LOG, parameters.RANGE
    part = (*span, parameters.SUBSEQUENCE)
    days = Answer[list[shape.Day]]
    yield Endpoint(
        "get", f"{path}/overview", "sendkit_overview", "Totals of the workspace", analytics.overview,
        Answer[shape.Overview], pool=pool,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/mailboxes", "sendkit_mailboxes", "Mailbox performance", analytics.mailboxes,
        Answer[list[shape.MailboxPerformance]], pool=pool, query=span,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/mailboxes{_MAILBOX}", "sendkit_mailbox", "Performance of one mailbox", analytics.mailbox,
        Answer[shape.MailboxStats], pool=pool, query=span,
    )  # fmt: skip
    yield Endpoint("get", f"{path}/daily", "sendkit_daily", "Day by day", analytics.daily, days, pool=pool, query=part)
    yield Endpoint(
        "get", f"{path}/daily/mailboxes{_MAILBOX}", "sendkit_daily_mailbox", "Day by day, of one mailbox",
        analytics.daily_of_mailbox, days, pool=pool, query=span,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/daily/campaigns{_CAMPAIGN}", "sendkit_daily_campaign", "Day by day, of one campaign",
        analytics.daily_of_campaign, days, pool=pool, query=part,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/campaigns{_CAMPAIGN}", "sendkit_campaign", "Totals of a campaign", analytics.campaign,
        Answer[shape.CampaignTotals], pool=pool, query=span,
    )  # fmt: skip
    yield Endpoint(
        "get", f"/campaigns{_CAMPAIGN}/analytics", "sendkit_campaign_analytics", "A campaign, by step and variant",
        analytics.campaign_analytics, Answer[shape.CampaignAnalytics], pool=pool, query=span,
    )  # fmt: skip


def _mailboxes() -> Iterator[Endpoint]:
    path, one = "/mailboxes", Answer[objects.MailboxDetail]
    yield Endpoint(
        "get", path, "sendkit_list_mailboxes", "Mailboxes", mailboxes.listed, Listed[objects.MailboxObject],
        pool=Pool.MAIL_LOG, query=(*parameters.FILTERS, *parameters.PAGE),
    )  # fmt: skip
    yield Endpoint(
        "post", path, "sendkit_create_mailbox", "A new mailbox", mailboxes.create, one, parameters.MailboxBody, 201,
        refusals=(409,),
    )  # fmt: skip
    yield Endpoint(
        "get", path + _MAILBOX, "sendkit_show_mailbox", "One mailbox", mailboxes.show, one, pool=Pool.MAIL_LOG
    )
    yield Endpoint(
        "patch", path + _MAILBOX, "sendkit_change_mailbox", "Change a mailbox", mailboxes.change, one,
        parameters.MailboxChange,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}{_MAILBOX}/health", "sendkit_mailbox_health", "DNS, warm-up and deliverability of a mailbox",
        mailboxes.health, Answer[objects.Health], pool=Pool.OUTSIDE,
    )  # fmt: skip


def _warmup() -> Iterator[Endpoint]:
    path = "/warmup/stats"
    yield Endpoint(
        "get", path, "sendkit_warmup", "How warm-ups go", warmup.stats, Answer[objects.WarmupOverview],
        pool=Pool.MAIL_LOG, query=(parameters.DAYS, parameters.SEARCH, *parameters.PAGE),
    )  # fmt: skip
    yield Endpoint(
        "get", path + _MAILBOX, "sendkit_warmup_mailbox", "How one warm-up goes", warmup.stats_of,
        Answer[objects.WarmupOfMailbox], pool=Pool.MAIL_LOG, query=(parameters.DAYS,),
    )  # fmt: skip


def _accounts() -> Iterator[Endpoint]:
    yield Endpoint("get", "/account", "sendkit_account", "Whose key it is", accounts.account, Answer[shape.Account])
    yield Endpoint(
        "get", "/workspaces", "sendkit_workspaces", "Workspaces that the key opens", accounts.workspaces,
        Answer[list[shape.WorkspaceObject]],
    )  # fmt: skip


_ROWS = [*_analytics(), *_mailboxes(), *_warmup(), *_accounts()]
ROUTES = RouteTable(_ROWS, MailboxServices, DIALECT, ("SendKit",), PREFIX)
