"""From an alert to its proof: what a source said, the mails that it is about, and the lines of the newest of them.

In a list the chain asks nothing: its last steps are looked for when somebody goes there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.pages.own_chain import OWN, own_queries
from mailvane.dashboard.parts.local_time import term
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Visit
from mailvane.maillog import query_language
from mailvane.maillog.queries import Delivery
from mailvane.reputation.alerts.model import FiredRule, LogEntry
from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.model import ObservationKind
from mailvane.reputation.texts.evidence import headline

_MOST_ITEMS = 3  # of a rule
_MAILS = 3
_WORD = 80  # characters of a name that are put into a query
_GMAIL = "gmail.com,googlemail.com"
_SAID = {
    ObservationKind.IP_LISTING: "answer of the blocklist",
    ObservationKind.DOMAIN_LISTING: "answer of the blocklist",
    ObservationKind.TRAFFIC: "day at Postmaster Tools",
    ObservationKind.SNDS_DATA: "row of SNDS",
    ObservationKind.SNDS_STATUS: "status at SNDS",
    ObservationKind.LOOKALIKE: "answer of the registry",
    ObservationKind.DMARC: "DMARC reports",
    ObservationKind.TLS: "TLS reports",
    ObservationKind.SENDER: "DMARC reports",
    ObservationKind.FAILURE: "failure report",
    ObservationKind.TRAP_HIT: "mail that the trap got",
    ObservationKind.HONEYTOKEN_HIT: "mail that the token got",
    ObservationKind.QUOTA: "count against the limit",
    ObservationKind.STOPPED: "audit of the domain",
    ObservationKind.LOG_SILENCE: "state of the log",
    ObservationKind.SOURCE_STATE: "state of the source",
    ObservationKind.HEARTBEAT: "last call",
    ObservationKind.MAIL: "figures of the mail log",
}  # what a rule that reads it saw
_DAYS = {"ONE_DAY": 1, "ONE_WEEK": 7, "ONE_MONTH": 30}


class Link(msgspec.Struct, frozen=True):
    """One match, with each step from it down to a line."""

    told: str
    asset: str  # path below the workspace; empty: nobody watches what it is about
    query: str  # of the mail log; empty: no mail of ours is concerned
    total: int
    mails: Sequence[Delivery]

    @property
    def log(self) -> str:
        return f"log?q={quote(self.query)}"


class Step(msgspec.Struct, frozen=True):
    """One step of a chain in a list."""

    words: str
    path: str  # below the workspace; empty: it leads nowhere


def steps(entry: LogEntry, alerts: Collection[str], governed: Collection[str]) -> list[Step]:
    """Rule, observation, mails, lines, of its first match. `alerts`: ids; `governed`: domains. Asks nothing."""
    at = f"alerts/fired/{entry.id}"
    found = [Step("rule", f"alerts/rules/{entry.alert_id}" if entry.alert_id in alerts else "")]
    rule = entry.rules[0] if entry.rules else None
    known = CATALOGUE.get(rule.type) if rule else None
    if rule is None or known is None:
        return [*found, Step("what is kept of it", at)]
    items = [item for item in rule.matchings.get("items") or () if isinstance(item, Mapping)]
    item: Mapping[str, Any] = items[0] if items else {}
    name = str(item.get(OWN.get(known.READS, "")) or "").lower()
    path = f"domains/{name}" if name in governed else "" if known.READS in OWN else _asset(item)
    found.append(Step(_SAID[known.READS], path or at))
    if next(_asked(rule, known.READS, item), ""):
        found += [Step("its mails", f"{at}/mails"), Step("the newest one's lines", f"{at}/lines")]
    return found


def chain(services: DashboardServices, visit: Visit, entry: LogEntry) -> Iterator[Link]:
    for rule in entry.rules:
        known = CATALOGUE.get(rule.type)
        items = [item for item in rule.matchings.get("items") or () if isinstance(item, Mapping)]
        for item in items[:_MOST_ITEMS]:
            asked = list(_asked(rule, known.READS, item)) if known else []
            own = OWN.get(known.READS) if known else None
            asset = _asset(item) if own is None else _governed(services, visit, item.get(own))
            yield _link(services, visit, headline(rule.type, item), asset, asked)


def _asked(rule: FiredRule, kind: ObservationKind, item: Mapping[str, Any]) -> Iterator[str]:
    spell = _spell(rule, item)
    if kind in OWN:
        return own_queries(rule.type, rule.snapshot.get("rule") or {}, item, spell, word)
    return _queries(kind, item, spell)


def _governed(services: DashboardServices, visit: Visit, name: object) -> str:
    """The page of a domain, where it is one of this workspace."""
    try:
        return f"domains/{services.outbound.governance.domain(str(name or ''), visit.workspace.id).name}"
    except NotFound:
        return ""


def _link(services: DashboardServices, visit: Visit, told: str, asset: str, queries: Sequence[str]) -> Link:
    """The first query that finds mail, from the narrowest to the widest."""
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    link = Link(told, asset, queries[0] if queries else "", 0, ())
    for query in queries:
        try:
            asked = query_language.question(query, visit.workspace.id, relays, visit.now, visit.zone)
        except InvalidInput:
            continue  # what a source named cannot be a term
        page = services.history.search(msgspec.structs.replace(asked, limit=_MAILS))
        if page.total:
            return Link(told, asset, query, page.total, page.deliveries)
    return link


def _asset(item: Mapping[str, Any]) -> str:
    for kind, fields in (("ip", ("ip", "traps_ip")), ("domain", ("domain", "traps_domain_from"))):
        for field in fields:
            if name := str(item.get(field) or ""):
                return f"reputation/{kind}/{quote(name, safe='')}"
    return ""


def _spell(rule: FiredRule, item: Mapping[str, Any]) -> str:
    """The time that a match tells of, as terms: a day on each side of a state, the days that were counted over."""
    moment = rule.snapshot.get("date_timestamp")
    for record in rule.snapshot.get("data") or ():
        shared = [name for name in item if isinstance(record, Mapping) and name in record and name != "value"]
        if shared and all(record[name] == item[name] for name in shared):
            moment = record.get("date_timestamp", moment)
            break
    if not isinstance(moment, int) or moment <= 0:
        return "since:7d"
    before = _DAYS.get(str(item.get("time_range", "")), 1) * DAY_MS
    return f"since:{term(moment - before)} until:{term(moment + DAY_MS)}"


def _queries(kind: ObservationKind, item: Mapping[str, Any], spell: str) -> Iterator[str]:
    """What to look for, from the narrowest to the widest."""
    ip, domain, zone = (word(item.get(name)) for name in ("ip", "domain", "rbl"))
    if kind is ObservationKind.IP_LISTING:
        yield f"answer:{zone} {spell}"
        yield f"answer:{ip} {spell}"
    elif kind is ObservationKind.DOMAIN_LISTING:
        yield f"from:{domain} answer:{zone} {spell}"
        yield f"from:{domain} {spell}"
    elif kind is ObservationKind.TRAFFIC:
        yield f"from:{domain} to:{_GMAIL} {spell}"
        yield f"from:{domain} {spell}"
    elif kind is ObservationKind.SNDS_DATA:
        yield f"answer:{ip} {spell}"
        yield f"mx:outlook.com {spell}"
        yield f"is:failing {spell}"
    elif kind in {ObservationKind.DMARC, ObservationKind.TLS}:
        yield f"from:{domain} {spell}"
    elif kind is ObservationKind.TRAP_HIT:
        yield f"from:{word(item.get('traps_domain_from'))} {spell}" if item.get("traps_domain_from") else spell


def word(value: object) -> str:
    """As one value of a term, whatever a source said."""
    text = "".join(each for each in str(value or "")[:_WORD] if each.isprintable() and each != '"')
    return f'"{text}"'
