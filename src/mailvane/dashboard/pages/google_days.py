"""What Google Postmaster Tools told of a domain, day by day, beside the lines of the alerts that watch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.decoding import prepared
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.parts.day_values import DayValue, day_values
from mailvane.dashboard.parts.local_time import utc_day
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.reputation.alerts.comparing import Ratio
from mailvane.reputation.alerts.model import Alert
from mailvane.reputation.cells import number
from mailvane.reputation.model import Asset, Observation, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.texts.sentences import condition

_DAYS = 30


class _Share(msgspec.Struct, frozen=True):
    field: str  # of Google's record
    name: str
    what: str
    rule: str  # the type of rule that compares it
    digits: int


_SHARES = (
    _Share("userReportedSpamRatio", "Spam", "mail that people called spam", "GP_USER_REPORTED_SPAM_RATIO", 2),
    _Share("spfSuccessRatio", "SPF", "mail that passed SPF", "GP_SPF_SUCCESS_RATIO", 1),
    _Share("dkimSuccessRatio", "DKIM", "mail that passed DKIM", "GP_DKIM_SUCCESS_RATIO", 1),
    _Share("dmarcSuccessRatio", "DMARC", "mail that passed DMARC", "GP_DMARC_SUCCESS_RATIO", 1),
)
HEADS = tuple(share.name for share in _SHARES)


class Watching(msgspec.Struct, frozen=True):
    """An alert over a share."""

    alert: Alert
    ratio: Ratio
    told: str


class Figure(msgspec.Struct, frozen=True):
    """One share over the days."""

    name: str
    what: str
    picture: Markup
    watched_by: Sequence[Watching]
    unknown: int  # days that Google has not told of


class GoogleDays(msgspec.Struct, frozen=True):
    days: int
    figures: Sequence[Figure]
    rows: Sequence[tuple[int, str, Sequence[str]]]  # when, the reputation, shares as text; the newest first


def google_days(services: DashboardServices, visit: Visit, asset: Asset) -> GoogleDays | None:
    """None: Google told of no day."""
    first = (visit.now // DAY_MS - _DAYS + 1) * DAY_MS
    question = ObservationQuestion(
        workspace=visit.workspace.id, kind=ObservationKind.TRAFFIC, assets=(asset.name,), since=first
    )
    found = services.reputation.observed.observation_page(question, 0, _DAYS).observations
    if not found:
        return None
    # Who is bound to domains is told of no alerts: those are of the whole workspace.
    alerts = services.reputation.alerting.alerts(visit.workspace.id) if visit.reach is None else []
    watching = [each for each in alerts if each.is_active and each.profile_id in {None, asset.profile_id}]
    by_day = {day.at // DAY_MS * DAY_MS: day for day in found}
    starts = range(first, first + _DAYS * DAY_MS, DAY_MS)
    figures = [_figure(by_day, starts, share, _lines(watching, share.rule)) for share in _SHARES]
    return GoogleDays(_DAYS, figures, [_row(day) for day in found])


def _row(day: Observation) -> tuple[int, str, Sequence[str]]:
    shares = [_text(number(day.data, share.field), share.digits) for share in _SHARES]
    return day.at, _words(day.data.get("domainReputation")), shares


def _figure(days: Mapping[int, Observation], starts: Sequence[int], share: _Share, lines: Sequence[Watching]) -> Figure:
    drawn = []
    for start in starts:
        value = number(days[start].data, share.field) if start in days else None
        told = "Google has not told" if value is None else _text(value, share.digits)
        is_bad = value is not None and any(each.ratio.holds(value) for each in lines)
        drawn.append(DayValue(utc_day(start), value, f"{utc_day(start)}: {told}", is_bad))
    values, title = [each.ratio.value for each in lines], f"Share of {share.what}"
    picture = day_values(drawn, values, title, lambda value: f"{100 * value:g} %")
    return Figure(share.name, share.what, picture, lines, sum(day.value is None for day in drawn))


def _lines(alerts: Sequence[Alert], kind: str) -> list[Watching]:
    found = []
    for alert in alerts:
        for rule in alert.rules:
            if rule.get("type") == kind:
                ratio = msgspec.convert(rule.get(kind.lower()), prepared(Ratio))
                found.append(Watching(alert, ratio, condition(rule)))
    return found


def _words(value: object) -> str:
    text = str(value or "")
    return "not told" if text in {"", "REPUTATION_CATEGORY_UNSPECIFIED"} else text.lower()


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value * 100:.{digits}f} %"
