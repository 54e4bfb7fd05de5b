"""Which parameters the queries of the EmailConsul API have, for their readers and for the document."""

from __future__ import annotations

from collections.abc import Iterable

from mailvane.reputation.emailconsul import alerts, hits, listings, postmaster, snds
from mailvane.reputation.emailconsul.parameters import BY_NAME, MOST_ROWS, USUAL_ROWS
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import ObservationKind
from mailvane.web.endpoints import Parameter

Query = tuple[Parameter, ...]

REPORT_ORDERS = ("-date_end",)
ROW_ORDERS = ("-count",)

_TIME = {"type": "string", "format": "date-time"}
_FLAG = {"type": "string", "enum": ["true", "false", "1", "0", ""]}
PROFILE = Parameter("profile_id", "Only what belongs to this profile.")
_IP = Parameter("ip", "Only of addresses that hold this text.")
_DOMAIN = Parameter("domain", "Only of domains that hold this text.")


def _span(since: str, until: str, *, required: bool = False) -> Query:
    what = "" if required else " The last 30 days are told where nothing is said."
    return (
        Parameter(since, f"From this time on.{what}", _TIME, required),
        Parameter(until, "Before this time.", _TIME, required),
    )


PERIOD = _span("period_from", "period_to", required=True)
RECENT = _span("period_from", "period_to")
DAYS = _span(*postmaster.SPAN)


def paged(orders: Iterable[str]) -> Query:
    """Of a list that is shown in parts; the first order is the usual one."""
    names = list(orders)
    return (
        Parameter("offset", "Rows to pass over.", {"type": "integer", "minimum": 0, "default": 0}),
        Parameter(
            "limit", "Rows at most.", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS}
        ),
        Parameter("sort", "By what; `-`: downwards.", {"type": "string", "enum": [*names, ""], "default": names[0]}),
    )


def watched(watch: Watch) -> Query:
    return (*paged(BY_NAME), Parameter(watch.filter, "Only names that hold this text."), PROFILE)


def hit(kind: ObservationKind) -> Query:
    """What mail to traps and tokens is searched by."""
    names = [Parameter(name, "Only where it holds this text.") for name in hits.SEARCHED[kind]]
    return (*names, Parameter("data_colorcode", "Only of these colours, with commas between them."))


def grouped(kind: ObservationKind) -> Query:
    choice = {"type": "string", "enum": list(hits.GROUPS[kind])}
    return (Parameter("group", "By what hits are counted.", choice, required=True), *PERIOD, *hit(kind))


ALERTS = (*paged(alerts.ORDERS), PROFILE)
ALERT_LOG = paged(alerts.LOG_ORDERS)
ALERT_STATISTICS = (*PERIOD, PROFILE, _IP, _DOMAIN)
DICTIONARY = (Parameter("type", "Of one kind only.", {"type": "string", "enum": list(listings.KINDS)}),)
GP_DOMAINS = (
    *paged(BY_NAME),
    PROFILE,
    *DAYS,
    _DOMAIN,
    Parameter("ip", "Only where an address that Google names holds this text."),
    Parameter("domain_reputations", "Only where the newest reputation is one of these, with commas between them."),
    Parameter("hide_without_stats", "Only where Google told something.", _FLAG),
)
SNDS_DATA = (
    *paged(snds.ORDERS),
    *RECENT,
    _IP,
    Parameter("filter_result", "Only of these colours, with commas between them."),
)
SNDS_STATUS = (*paged(snds.ORDERS), _IP)
SNDS_SUMS = (*PERIOD, _IP)
LOOKALIKES = (
    *paged(BY_NAME),
    Parameter("state", "Only of these states, with commas between them."),
    Parameter("lookalike", "Only names that hold this text."),
)
DMARC_REPORTS = (*paged(REPORT_ORDERS), *RECENT, Parameter("domain", "Only of this domain."))
DMARC_ROWS = (
    *paged(ROW_ORDERS),
    *RECENT,
    Parameter("domain", "Only of this domain."),
    Parameter("source_ip", "Only of this address."),
    Parameter("failing", "Only what failed.", _FLAG),
)
