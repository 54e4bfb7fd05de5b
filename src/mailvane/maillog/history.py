"""Questions about the past: the mail log of a workspace, its statistics by window, its billing cycles and their cost.

Windows and cycles are pure functions of the time they are asked at. A window's name here is not a vendor's word, even
where a vendor uses the same; what to do about an unknown name is the surface's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.tenants.model import Price, Relay
from mailvane.maillog.interface import MailLog
from mailvane.maillog.queries import LogPage, LogQuestion, Statistics, StatisticsQuestion

if TYPE_CHECKING:
    from mailvane.core.tenants.store import TenantStore

_CENT = Decimal("0.01")
_SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
WINDOWS = (*_SPANS, "day", "month", "all")  # and "billing", which differs from relay to relay


class Charge(msgspec.Struct, frozen=True):
    """What the current billing cycles come to so far, in one currency."""

    currency: str
    mails: int
    cost: Decimal


class _Cycle(msgspec.Struct, frozen=True):
    """Relays of one price whose billing cycle is the same."""

    since: int
    until: int  # exclusive
    price: Price
    relays: tuple[int, ...]

    def question(self, workspace: int) -> StatisticsQuestion:
        return StatisticsQuestion(
            workspace=workspace, relays=self.relays, since=self.since, until=self.until - 1, top=0, deliveries=False
        )


class History:
    """The past of one workspace, through its active relays."""

    def __init__(self, maillog: MailLog, tenants: TenantStore) -> None:
        self._maillog = maillog
        self._tenants = tenants

    def over(self, maillog: MailLog) -> History:
        """The same of another mail log, such as one that tells of some domains only."""
        return History(maillog, self._tenants)

    def search(self, question: LogQuestion) -> LogPage:
        """One page of deliveries and the exact total; relays of other workspaces find nothing."""
        own = {relay.id for relay in self._tenants.relays(question.workspace)}
        relays = tuple(relay for relay in question.relays if relay in own)
        if not relays:
            return LogPage(total=0, deliveries=[])
        return self._maillog.search(msgspec.structs.replace(question, relays=relays))

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        """Likewise, how many deliveries there are, and when the first of their mails was accepted."""
        own = {relay.id for relay in self._tenants.relays(question.workspace)}
        relays = tuple(relay for relay in question.relays if relay in own)
        return self._maillog.total_and_first(msgspec.structs.replace(question, relays=relays)) if relays else (0, None)

    def statistics(self, workspace: int, window: str, now: int, zone: tzinfo = UTC, top: int = 500) -> Statistics:
        """Counts and ranked tables of a window over all active relays. Raises InvalidInput for an unknown window."""
        questions = _of_window(workspace, self._active(workspace), (window, top), now, zone)
        return merged(self._maillog.statistics_of(questions), top) if questions else _NOTHING

    def usage(self, workspace: int, now: int, zone: tzinfo = UTC) -> int:
        """Mails accepted so far in the current billing cycle, over all active relays, each in its own cycle."""
        return sum(charge.mails for charge in self.charges(workspace, now, zone))

    def charges(self, workspace: int, now: int, zone: tzinfo = UTC) -> list[Charge]:
        """What the current billing cycles cost so far: one charge per currency, that of the first relay first."""
        cycles = _cycles(self._active(workspace), now, zone)
        questions = [cycle.question(workspace) for cycle in cycles]
        return _charged(cycles, self._maillog.statistics_of(questions)) if questions else []

    def overview(
        self, workspace: int, window: str, now: int, zone: tzinfo = UTC, top: int = 500
    ) -> tuple[list[Charge], Statistics]:
        """Charges, and statistics of a window, both of one moment. Raises InvalidInput for an unknown window."""
        relays = self._active(workspace)
        cycles = _cycles(relays, now, zone)
        if not cycles:
            return [], _NOTHING
        questions = _of_window(workspace, relays, (window, top), now, zone)
        answers = self._maillog.statistics_of([*(cycle.question(workspace) for cycle in cycles), *questions])
        return _charged(cycles, answers[: len(cycles)]), merged(answers[len(cycles) :], top)

    def _active(self, workspace: int) -> list[Relay]:
        return [relay for relay in self._tenants.relays(workspace) if relay.active]


def window_start(window: str, now: int, zone: tzinfo = UTC) -> int | None:
    """When a window began, None when it has no beginning. Days and months are those of the zone.

    Raises InvalidInput for a window that is not in WINDOWS.
    """
    if window == "all":
        return None
    if window in _SPANS:
        return now - int(_SPANS[window].total_seconds() * 1000)
    today = _midnight(_moment(now, zone))
    if window == "day":
        return _milliseconds(today)
    if window == "month":
        return _milliseconds(today.replace(day=1))
    raise InvalidInput(f"there is no window {window!r}: use one of {', '.join(WINDOWS)}")


def billing_cycle(billing_day: int, now: int, zone: tzinfo = UTC) -> tuple[int, int]:
    """The cycle that `now` is in: its first millisecond, and the first one of the next cycle."""
    moment = _moment(now, zone)
    start = _midnight(moment.replace(day=billing_day))
    if moment.day < billing_day:
        start = _months_later(start, -1)
    return _milliseconds(start), _milliseconds(_months_later(start, 1))


def cost(owed: Iterable[tuple[Price, int]]) -> Decimal:
    """What prices and mails come to, in one currency; the sum is rounded up to the cent, its parts are not."""
    exact = sum((price.base + price.per_thousand * mails / 1000 for price, mails in owed), Decimal(0))
    return exact.quantize(_CENT, ROUND_CEILING)


def merged(parts: Sequence[Statistics], top: int) -> Statistics:
    """Statistics of disjoint sets of mails as one; ties are ranked by name.

    With several parts the tables are exact only as far as every name made it into the table of each part.
    """
    if len(parts) == 1:
        return parts[0]
    return Statistics(
        received=sum(part.received for part in parts),
        sent=sum(part.sent for part in parts),
        senders=_ranked([part.senders for part in parts], top),
        recipients=_ranked([part.recipients for part in parts], top),
        origins=_ranked([part.origins for part in parts], top),
    )


_NOTHING = Statistics(0, 0, {}, {}, {})


def _cycles(relays: Sequence[Relay], now: int, zone: tzinfo) -> list[_Cycle]:
    alike: dict[tuple[tuple[int, int], Price], list[int]] = {}
    for relay in relays:
        cycle = billing_cycle(relay.billing_day, now, zone)
        alike.setdefault((cycle, relay.price), []).append(relay.id)
    return [_Cycle(since, until, price, tuple(numbers)) for ((since, until), price), numbers in alike.items()]


def _charged(cycles: Sequence[_Cycle], counted: Sequence[Statistics]) -> list[Charge]:
    owed: dict[str, list[tuple[Price, int]]] = {}
    for cycle, counts in zip(cycles, counted, strict=True):
        bases = msgspec.structs.replace(cycle.price, base=cycle.price.base * len(cycle.relays))
        owed.setdefault(cycle.price.currency, []).append((bases, counts.received))
    return [Charge(currency, sum(mails for _, mails in each), cost(each)) for currency, each in owed.items()]


def _of_window(
    workspace: int, relays: Sequence[Relay], wanted: tuple[str, int], now: int, zone: tzinfo
) -> list[StatisticsQuestion]:
    """One question for the relays whose window, given by name and rows of a table, began at the same time."""
    window, top = wanted
    return [
        StatisticsQuestion(workspace=workspace, relays=numbers, since=since, top=top)
        for since, numbers in _by_start(relays, window, now, zone)
    ]


def _by_start(relays: Sequence[Relay], window: str, now: int, zone: tzinfo) -> list[tuple[int | None, tuple[int, ...]]]:
    """The relays whose window began at the same time, together."""
    groups: dict[int | None, list[int]] = {}
    for relay in relays:
        billing = window == "billing"
        since = billing_cycle(relay.billing_day, now, zone)[0] if billing else window_start(window, now, zone)
        groups.setdefault(since, []).append(relay.id)
    return [(since, tuple(numbers)) for since, numbers in groups.items()]


def _ranked(tables: Iterable[dict[str, int]], top: int) -> dict[str, int]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0]))[:top])


def _moment(now: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(now // 1000, UTC).astimezone(zone)


def _midnight(moment: datetime) -> datetime:
    # Where the clocks go back from one to midnight, a day has two midnights: it begins with the first.
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day of another month; billing days exist in every month."""
    count = moment.year * 12 + moment.month - 1 + months
    return moment.replace(year=count // 12, month=count % 12 + 1)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
