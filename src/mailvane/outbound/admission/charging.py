"""To which month feedback is charged, and where the count restarts for a restored domain. Pure.

A bounce or complaint belongs to the mail that it is about, so it counts in the month in which that mail was sent: a
late one says nothing of the mail of today.
"""

from __future__ import annotations

import msgspec

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.counters import month_of, today, with_month
from mailvane.outbound.model import Baseline, Feedback, MonthTally, Usage

OLDEST_MS = 62 * DAY_MS  # ours: feedback on mail that was sent before then counts nowhere


class Charge(msgspec.Struct, frozen=True):
    """Counters with feedback in them, and the month that it went to, before and after."""

    usage: Usage
    before: MonthTally
    after: MonthTally


def charged(usage: Usage, feedback: Feedback, now: int) -> Charge | None:
    """None when the counters of that time are not kept any more, or never were."""
    current = today(usage, now)
    at = now if feedback.mail_at is None else min(feedback.mail_at, now)
    if at < now - OLDEST_MS:
        return None
    if _holds(current.tally, at):
        after = _added(current.tally, feedback, at)
        return Charge(with_month(current, after), current.tally, after)
    place = next((place for place, each in enumerate(current.other.months) if _holds(each, at)), None)
    if place is None:
        return None
    before = current.other.months[place]
    after = _added(before, feedback, at)
    months = (*current.other.months[:place], after, *current.other.months[place + 1 :])
    changed = msgspec.structs.replace(current, other=msgspec.structs.replace(current.other, months=months))
    return Charge(changed if after.frozen else _to_bill(changed, feedback), before, after)


def restored(usage: Usage, now: int) -> Usage:
    """From now on rates are of what is sent and comes back after this."""
    current = today(usage, now)
    months = tuple(_begun_anew(each, now) for each in current.other.months)
    other = msgspec.structs.replace(current.other, months=months)
    return msgspec.structs.replace(with_month(current, _begun_anew(current.tally, now)), other=other)


def _holds(tally: MonthTally, at: int) -> bool:
    if tally.frozen:
        return tally.since <= at < tally.until
    return tally.month == month_of(at // HOUR_MS) and at >= tally.since


def _added(tally: MonthTally, feedback: Feedback, at: int) -> MonthTally:
    base = tally.baseline
    if _is_settled(tally, feedback, at):
        base = Baseline(base.at, base.sent, base.bounces + feedback.bounces, base.complaints + feedback.complaints)
    return msgspec.structs.replace(
        tally,
        bounces=tally.bounces + feedback.bounces,
        complaints=tally.complaints + feedback.complaints,
        baseline=base,
    )


def _is_settled(tally: MonthTally, feedback: Feedback, at: int) -> bool:
    """Whether the mail was sent before the domain was restored: whoever did that knew that more might come back."""
    base = tally.baseline
    if not base.at or (at > base.at and feedback.mail_at is not None):
        return False
    return at < base.at or not tally.figures.sent


def _to_bill(usage: Usage, feedback: Feedback) -> Usage:
    return msgspec.structs.replace(
        usage,
        unbilled_bounces=usage.unbilled_bounces + feedback.bounces,
        unbilled_complaints=usage.unbilled_complaints + feedback.complaints,
    )


def _begun_anew(tally: MonthTally, now: int) -> MonthTally:
    return msgspec.structs.replace(tally, baseline=Baseline(now, tally.sent, tally.bounces, tally.complaints))


def month_text(tally: MonthTally) -> str:
    """As people write it; of a frozen one, the month that it began in."""
    month = month_of(tally.since // HOUR_MS) if tally.frozen else tally.month
    return f"{month // 12:04}-{month % 12 + 1:02}"
