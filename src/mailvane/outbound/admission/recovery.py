"""When a suspended domain is below its line again, while so many mails a day pass and nothing more comes back. Pure.

The rule that suspends is asked, of the same counters; so a month that begins ends the wait, as it is counted anew.
"""

from __future__ import annotations

import msgspec

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.admission.counters import month_begin, month_of, today
from mailvane.outbound.admission.rules import crossing
from mailvane.outbound.model import Domain, Guillotine, MonthTally, Usage

_MOST_MAILS = 10**12


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """How many more mails that takes, and the day of UTC on which they have passed."""

    mails: int  # 0: it is below its line already
    day: int  # its start, milliseconds
    begins_anew: bool  # a new month comes first: with it the count begins anew, and the mails are not needed


def mails_to_below(counted: MonthTally, rule: Guillotine) -> int:
    """How many more mails without a bounce or complaint bring a month's figures below every line; 0: they are."""
    if crossing(counted, rule) is None:
        return 0
    low, high = 1, 1
    while high < _MOST_MAILS and crossing(_with_mails(counted, high), rule) is not None:
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        if crossing(_with_mails(counted, middle), rule) is None:
            high = middle
        else:
            low = middle + 1
    return low


def recovery(domain: Domain, usage: Usage, rule: Guillotine, daily: int, now: int) -> Recovery | None:
    """At so many mails a day, each of which counts once, within the domain's own limits. None: none passes."""
    current = today(usage, now)
    daily = min(daily, domain.daily_limit or daily)
    if daily <= 0:
        return None
    mails = mails_to_below(current.tally, rule)
    begun = now // DAY_MS * DAY_MS
    still_today = max(0, daily - current.sent_today)
    days = -(-max(0, mails - still_today) // daily)
    next_month = month_begin(month_of(now // HOUR_MS) + 1)
    room = domain.monthly_limit - current.sent_month if domain.monthly_limit else mails
    if mails > room or begun + days * DAY_MS >= next_month:
        return Recovery(mails=mails, day=next_month, begins_anew=True)
    return Recovery(mails=mails, day=begun + days * DAY_MS, begins_anew=False)


def _with_mails(counted: MonthTally, more: int) -> MonthTally:
    return msgspec.structs.replace(counted, sent=counted.sent + more)
