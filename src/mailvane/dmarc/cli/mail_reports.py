"""TLS and abuse reports on a terminal, as tables. What is shown was asked for elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, moment, print_csv
from mailvane.core.moments import iso_text

if TYPE_CHECKING:
    from mailvane.dmarc.model import AbusePage, ServiceSummary, TlsPage
    from mailvane.reputation.model import Observation

_MOST_RESULTS = 3


def show_senders(found: Sequence[ServiceSummary], zone: ZoneInfo) -> None:
    """By domain, those of the most messages first."""
    table = _table("domain", "service", "first seen", "last seen", right=("messages", "pass", "IPs"))
    for one in found:
        passed = f"{one.passed / one.messages:.1%}" if one.messages else ""
        days = (moment(each, zone)[:10] for each in (one.first_seen, one.last_seen))
        name = Text(one.name, "" if one.service else "dim")
        table.add_row(one.domain, name, *days, f"{one.messages:,}", passed, f"{one.addresses:,}")
    console().print(table)


def show_senders_csv(found: Sequence[ServiceSummary]) -> None:
    """Times in ISO 8601, UTC."""
    header = ("domain", "service", "name", "first_seen", "last_seen", "messages", "passed", "addresses")
    rows = [
        (
            one.domain, one.service, one.name, iso_text(one.first_seen), iso_text(one.last_seen), one.messages,
            one.passed, one.addresses,
        )
        for one in found
    ]  # fmt: skip
    print_csv(header, rows)


def show_tls(found: TlsPage, zone: ZoneInfo) -> None:
    """Domains first, those of the most failed sessions on top; then the reports."""
    domains = _table("domain", right=("reports", "succeeded", "failed"))
    for sums in found.domains:
        failed = Text(f"{sums.failed:,}", "red" if sums.failed else "green")
        domains.add_row(sums.domain, f"{sums.reports:,}", f"{sums.succeeded:,}", failed)
    console().print(domains)
    typer.echo("")
    reports = _table("until", "domain", "by", right=("succeeded", "failed"), last="why")
    for one in found.reports:
        good, bad = int(one.data.get("succeeded", 0)), int(one.data.get("failed", 0))
        reports.add_row(
            moment(one.at, zone), one.asset, str(one.data.get("organisation", "")), f"{good:,}", f"{bad:,}", _why(one)
        )
    console().print(reports)
    _tell_rest(len(found.reports), found.total)


def show_abuse(found: AbusePage, zone: ZoneInfo) -> None:
    """Domains and types first, those of the most reports on top; then the reports, with the mail of each."""
    domains = _table("domain", "type", right=("reports",))
    for count in found.domains:
        domains.add_row(count.domain, count.feedback_type, f"{count.reports:,}")
    console().print(domains)
    typer.echo("")
    reports = _table("arrived", "domain", "type", "recipient", "mail", "counted for", "by")
    for one in found.reports:
        became = _inner(one.data, "complaint")
        reports.add_row(
            moment(one.at, zone),
            one.asset,
            str(one.data.get("feedback_type", "")),
            str(became.get("recipient") or one.data.get("original_rcpt_to") or "-"),
            str(became.get("mail_id") or "-"),
            str(became.get("counted") or "-"),
            str(one.data.get("reporting_mta") or one.data.get("user_agent") or "-"),
        )
    console().print(reports)
    _tell_rest(len(found.reports), found.total)


def _table(*names: str, right: tuple[str, ...] = (), last: str = "") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for name in right:
        # A number that is cut is another number.
        table.add_column(name, justify="right", no_wrap=True)
    if last:
        table.add_column(last, overflow="fold")
    return table


def _why(report: Observation) -> str:
    """The kinds of failure (RFC 8460 section 4.3), those of the most sessions first, and where."""
    reasons = []
    for one in report.data.get("failures", ())[:_MOST_RESULTS]:
        where = one.get("receiving_mx_hostname") or one.get("receiving_ip")
        reasons.append(
            f"{one.get('result_type', '?')} {one.get('failed_session_count', 0):,}" + (f" at {where}" if where else "")
        )
    more = len(report.data.get("failures", ())) - len(reasons)
    return ", ".join(reasons) + (f" and {more} more" if more > 0 else "")


def _inner(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def _tell_rest(shown: int, total: int) -> None:
    if shown < total:
        typer.echo(f"{shown:,} of {total:,} reports: say --limit to see more")
