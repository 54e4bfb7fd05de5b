"""Mailbox providers of the simulated world that report on a domain's mail: an aggregate report a day, compressed.

Most of what they tell is mail that passes; some was forwarded. In one report, somebody else wrote in a domain's name.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random

import msgspec

_DAY = 86_400_000
SPOOFED_MESSAGES = 300
_SPOOFERS = (("203.0.113.66", 212), ("203.0.113.71", 88))
_FORWARDER = "198.51.100.66"


class Reporter(msgspec.Struct, frozen=True):
    """A provider."""

    organisation: str
    host: str
    messages: int  # a day and domain, about


PUNCTUAL = (Reporter("Gemail", "gemail.example", 420), Reporter("GMZ Mail & Media", "gmz.example", 150))
LATE = Reporter("Outlock Enterprise", "outlock.example", 260)


class Report(msgspec.Struct, frozen=True):
    """A file as it arrives."""

    name: str
    body: bytes
    ends: int


class _Row(msgspec.Struct, frozen=True):
    address: str
    count: int
    dkim: bool = True
    spf: bool = True


class Reporters:
    """The same seed makes the same reports. Mail of the domains leaves by these addresses."""

    def __init__(self, seed: int, domains: Sequence[str], addresses: Sequence[str]) -> None:
        self._seed = seed
        self._domains = domains
        self._addresses = addresses

    def of_day(self, day: int) -> Iterator[Report]:
        """What all of them tell of the day that begins then, where nothing is amiss."""
        return self._told((*PUNCTUAL, LATE), day)

    def punctual(self, day: int) -> Iterator[Report]:
        """Those of the day that come without delay."""
        return self._told(PUNCTUAL, day)

    def late(self, day: int) -> Iterator[Report]:
        """Those that come later; the one about the first domain tells of spoofed mail."""
        for place, domain in enumerate(self._domains):
            rows = self._usual(LATE, domain, day)
            if not place:
                rows += [_Row(address, count, dkim=False, spf=False) for address, count in _SPOOFERS]
            yield _report(LATE, domain, day, rows)

    def _told(self, reporters: Sequence[Reporter], day: int) -> Iterator[Report]:
        for domain in self._domains:
            for reporter in reporters:
                yield _report(reporter, domain, day, self._usual(reporter, domain, day))

    def _usual(self, reporter: Reporter, domain: str, day: int) -> list[_Row]:
        random = Random(f"{self._seed} reports {reporter.host} {domain} {day}")  # noqa: S311 a world, not a secret
        rows = [_Row(each, max(1, round(reporter.messages * random.uniform(0.3, 0.7)))) for each in self._addresses]
        if random.random() < 0.6:
            rows.append(_Row(_FORWARDER, random.randrange(1, 6), spf=False))
        if random.random() < 0.2:
            rows.append(_Row(_FORWARDER, random.randrange(1, 3), dkim=False, spf=False))
        return rows


def _report(reporter: Reporter, domain: str, day: int, rows: Sequence[_Row]) -> Report:
    begins, ends = day // 1000, (day + _DAY) // 1000 - 1
    report_id = f"{domain}.{datetime.fromtimestamp(begins, UTC):%Y%m%d}"
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feedback>\n <version>1.0</version>\n <report_metadata>\n'
        f"  <org_name>{_escaped(reporter.organisation)}</org_name>\n  <email>noreply-dmarc@{reporter.host}</email>\n"
        f"  <report_id>{report_id}</report_id>\n"
        f"  <date_range><begin>{begins}</begin><end>{ends}</end></date_range>\n </report_metadata>\n"
        f" <policy_published><domain>{domain}</domain><adkim>r</adkim><aspf>r</aspf><p>quarantine</p>"
        "<sp>quarantine</sp><pct>100</pct></policy_published>\n"
        f"{''.join(_record(domain, row) for row in rows)}</feedback>\n"
    )
    name = f"{reporter.host}!{domain}!{begins}!{ends}.xml.gz"
    return Report(name, gzip.compress(text.encode(), 6, mtime=0), ends * 1000)


def _record(domain: str, row: _Row) -> str:
    disposition = "none" if row.dkim or row.spf else "quarantine"
    signed = f"<dkim><domain>{domain}</domain><selector>s1</selector><result>pass</result></dkim>" if row.dkim else ""
    sender = domain if row.spf else "bounces.elsewhere.example"
    return (
        f" <record>\n  <row><source_ip>{row.address}</source_ip><count>{row.count}</count>"
        f"<policy_evaluated><disposition>{disposition}</disposition><dkim>{_word(row.dkim)}</dkim>"
        f"<spf>{_word(row.spf)}</spf></policy_evaluated></row>\n"
        f"  <identifiers><envelope_from>{sender}</envelope_from><header_from>{domain}</header_from></identifiers>\n"
        f"  <auth_results>{signed}<spf><domain>{sender}</domain><scope>mfrom</scope><result>{_word(row.spf)}</result>"
        "</spf></auth_results>\n </record>\n"
    )


def _word(passes: bool) -> str:
    return "pass" if passes else "fail"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
