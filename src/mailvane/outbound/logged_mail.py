"""What the mail log knows of a domain's mail, hour by hour: stands for the time before decisions were recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailvane.core.moments import DAY_MS
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


def daily_mail(
    maillog: MailLog, domain: Domain, relays: Sequence[int], decided: Mapping[int, int], span: tuple[int, int]
) -> dict[int, int]:
    """Its mail on each day of UTC of a span: what was decided, and what the log knows of the days before that."""
    since, until = span
    first = min(decided, default=until)
    found: dict[int, int] = {}
    for hour in logged_mail(maillog, domain, relays, since, min(first + DAY_MS, until)) if first > since else ():
        day = hour.minute // DAY_MS * DAY_MS
        if since <= day <= first and day < until:
            found[day] = found.get(day, 0) + hour.allowed
    return found | {day: max(count, found.get(day, 0)) for day, count in decided.items()}
