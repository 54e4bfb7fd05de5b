"""What the mail log knows of a domain's mail, hour by hour: stands for the time before decisions were recorded."""

from __future__ import annotations

from collections.abc import Sequence

from mailvane.maillog.interface import MailLog
from mailvane.maillog.queries import HourlyQuestion
from mailvane.outbound.model import Domain, MinuteOfDecisions


def logged_mail(
    maillog: MailLog, domain: Domain, relays: Sequence[int], since: int, until: int
) -> list[MinuteOfDecisions]:
    """The domain's accepted mail from `since` to before `until`, a row an hour."""
    if not relays:
        return []
    question = HourlyQuestion(
        workspace=domain.workspace, relays=tuple(relays), since=since, until=until, sender_domain=domain.name
    )
    return [
        MinuteOfDecisions(domain=domain.name, minute=hour.hour, asked=hour.accepted, allowed=hour.accepted)
        for hour in maillog.hourly(question)
    ]
