"""Analytics of the SendKit API: overview, mailboxes, days, campaigns. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from mailvane.mailboxes.model import campaign_id
from mailvane.mailboxes.performance import Campaign, Scope, Window, total
from mailvane.mailboxes.sendkit import shape
from mailvane.mailboxes.sendkit.parameters import daily_window, window
from mailvane.mailboxes.services import MailboxServices
from mailvane.maillog.queries import EngagementCounts
from mailvane.web.endpoints import Asked

_MAIN = "main"


def overview(services: MailboxServices, asked: Asked) -> shape.Answer[shape.Overview]:
    figures, scope = services.mailboxes.figures, services.mailboxes.scope(asked.workspace)
    steps = figures.by_sequence(scope, Window())
    campaigns = figures.campaigns(scope, asked.now)
    whole = total(steps)
    return shape.ok(
        shape.Overview(
            totalSent=whole.sent,
            totalOpened=whole.opened,
            totalClicked=whole.clicked,
            totalBounced=whole.bounced,
            totalReplied=whole.replied,
            totalPositiveReplied=whole.positive,
            totalCampaigns=len(campaigns),
            activeCampaigns=sum(one.active for one in campaigns),
            bySequence=_by_sequence(steps),
            rates=shape.rates(whole),
        )
    )


def mailboxes(services: MailboxServices, asked: Asked) -> shape.Answer[list[shape.MailboxPerformance]]:
    found = services.mailboxes.performance(asked.workspace, window(asked), asked.now)
    return shape.ok([shape.performance(one, asked.now) for one in found])


def mailbox(services: MailboxServices, asked: Asked) -> shape.Answer[shape.MailboxStats]:
    span = window(asked)
    found = services.mailboxes.mailbox(asked.workspace, asked.path["mailbox_id"], asked.now)
    return shape.ok(shape.stats(services.mailboxes.performance_of(found, span, asked.now)))


def daily(services: MailboxServices, asked: Asked) -> shape.Answer[list[shape.Day]]:
    span, scope = daily_window(asked), services.mailboxes.scope(asked.workspace)
    rows = services.mailboxes.figures.daily(scope, span, **_sequence(services, scope, asked))
    return shape.ok([shape.day(row) for row in rows])


def daily_of_mailbox(services: MailboxServices, asked: Asked) -> shape.Answer[list[shape.Day]]:
    span = daily_window(asked)
    found = services.mailboxes.mailbox(asked.workspace, asked.path["mailbox_id"], asked.now)
    rows = services.mailboxes.figures.daily(services.mailboxes.scope(asked.workspace), span, found.address)
    return shape.ok([shape.day(row) for row in rows])


def daily_of_campaign(services: MailboxServices, asked: Asked) -> shape.Answer[list[shape.Day]]:
    span, scope = daily_window(asked), services.mailboxes.scope(asked.workspace)
    found = services.mailboxes.figures.campaign(scope, asked.path["campaign_id"], asked.now)
    filters = _sequence(services, scope, asked)
    rows = services.mailboxes.figures.daily(scope, span, campaign=found.name, **filters)
    return shape.ok([shape.day(row) for row in rows])


def campaign(services: MailboxServices, asked: Asked) -> shape.Answer[shape.CampaignTotals]:
    found, steps = _campaign(services, asked)
    return shape.ok(
        shape.CampaignTotals(
            shape.CampaignBrief(found.id, found.name, _status(found)),
            shape.campaign_stats(total(steps)),
            _by_sequence(steps),
            [shape.step_stats(step) for step in steps if not step.sequence],
            _subsequences(asked.workspace, steps),
        )
    )


def campaign_analytics(services: MailboxServices, asked: Asked) -> shape.Answer[shape.CampaignAnalytics]:
    found, steps = _campaign(services, asked)
    return shape.ok(
        shape.CampaignAnalytics(
            shape.StartedCampaign(found.id, found.name, _status(found), shape.moment(found.counts.first_at)),
            shape.campaign_stats(total(steps)),
            _by_sequence(steps),
            [
                shape.StepAnalytics(shape.StepName(step.step, 0), step.sent, step.opened, step.clicked, step.bounced)
                for step in steps
                if not step.sequence
            ],
            _subsequences(asked.workspace, steps),
        )
    )


def _campaign(services: MailboxServices, asked: Asked) -> tuple[Campaign, list[EngagementCounts]]:
    span, scope = window(asked), services.mailboxes.scope(asked.workspace)
    found = services.mailboxes.figures.campaign(scope, asked.path["campaign_id"], asked.now)
    return found, services.mailboxes.figures.by_sequence(scope, span, campaign=found.name)


def _sequence(services: MailboxServices, scope: Scope, asked: Asked) -> dict[str, Any]:
    """What `subsequenceId` filters. Raises NotFound."""
    ident = asked.query.get("subsequenceId", "").strip()
    if not ident:
        return {}
    if ident == _MAIN:
        return {"sequence": ""}
    return {"sequence": services.mailboxes.figures.sequence(scope, ident)}


def _status(found: Campaign) -> str:
    return "active" if found.active else "completed"


def _by_sequence(steps: Sequence[EngagementCounts]) -> shape.BySequence:
    main = [step for step in steps if not step.sequence]
    others = [step for step in steps if step.sequence]
    return shape.BySequence(shape.sequence_counts(total(main)), shape.sequence_counts(total(others)))


def _subsequences(workspace: int, steps: Sequence[EngagementCounts]) -> list[shape.Subsequence]:
    """Steps come by sequence."""
    found = []
    for name, grouped in groupby(steps, key=lambda step: step.sequence):
        if name:
            of_it = list(grouped)
            found.append(
                shape.Subsequence(
                    id=campaign_id(workspace, name), name=name, trigger=shape.Trigger("ai_tag", ""), enabled=True,
                    archived=False, addedCount=of_it[0].sent, currentlyEnrolled=0,
                    stats=shape.campaign_stats(total(of_it)), stepStats=[shape.step_stats(step) for step in of_it],
                )
            )  # fmt: skip
    return found
