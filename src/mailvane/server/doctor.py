"""`mailvane doctor`: everything that can be wrong with an installation, looked at one by one, with advice."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import chdb
import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from mailvane import __version__
from mailvane.core.errors import InvalidInput, MailvaneError
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dmarc.readers.containers import visible
from mailvane.maillog.followed_logs import FollowedLogState, Standing
from mailvane.maillog.postfix.rotation import newest_line
from mailvane.maillog.settings import PostfixLog
from mailvane.outbound.admission.rules import advised_volume
from mailvane.outbound.model import Counting
from mailvane.outbound.policy.protocol import END_OF_MESSAGE
from mailvane.reputation.model import Source, SourceHealth
from mailvane.reputation.source_schedule import SourceSchedule
from mailvane.server.alerting import monitoring_settings, schedule_of, warnings_about
from mailvane.server.data_directory import owner
from mailvane.server.ledgers import is_embedded, ledger_of
from mailvane.server.program import Check, CheckResult
from mailvane.server.settings import TOKEN_FILE, Settings, shown
from mailvane.server.stores import maillog_anywhere

_GIB = 1 << 30
_FREE_WARNING = 5 * _GIB
_BACKLOG_WARNING = 1000
_LATE_MS = 5 * MINUTE_MS  # a batch is on its way for less than a second where all is well
_TOLERANCE = 15 * MINUTE_MS  # milliseconds; zones differ by no less
_SHOWN = 5  # findings


class _Problem(msgspec.Struct):
    detail: str = ""


class _Ready(msgspec.Struct):
    postfix: list[FollowedLogState] = []


def checks(settings: Settings, deep: bool = False) -> Iterator[Check]:
    """Every check, in the order in which one depends on the other; deep: what is stored is read, too."""
    stored = (_maillog, _contents) if deep else (_maillog,)
    for check in (
        _versions,
        _settings,
        _data,
        _token,
        _disk,
        _ledger,
        _outbound,
        _policy,
        _server,
        *stored,
        _sources,
        _alerts,
    ):
        name = check.__name__.strip("_")
        try:
            yield check(settings)
        except MailvaneError as error:
            yield Check(name, CheckResult.BAD, error.message)
    for number in range(len(settings.postfix)):
        yield _source(settings, number)


def _versions(_: Settings) -> Check:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return Check("versions", CheckResult.GOOD, f"mailvane {__version__}, Python {python}, chDB {chdb.__version__}")


def _settings(settings: Settings) -> Check:
    message = ", ".join(f"{name}={value}" for name, value in shown(settings).items() if name in {"http", "timezone"})
    return Check("settings", CheckResult.GOOD, f"{message}; {len(settings.postfix)} mail log(s) to follow")


def _data(settings: Settings) -> Check:
    path = settings.data
    if not path.exists():
        return Check("data", CheckResult.WARNING, f"{path} is not there yet", "it is made by the first command")
    if not os.access(path, os.W_OK | os.X_OK):
        return Check("data", CheckResult.BAD, f"{path} cannot be written by this user")
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
        return Check("data", CheckResult.WARNING, f"{path} can be read by everybody", f"chmod o-rx {path}")
    return Check("data", CheckResult.GOOD, str(path))


def _token(settings: Settings) -> Check:
    if settings.master_token is not None:
        return Check("token", CheckResult.GOOD, "the master token is a setting")
    path = settings.data / TOKEN_FILE
    if not path.exists():
        return Check("token", CheckResult.GOOD, "the master token is made at the first start")
    if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("token", CheckResult.BAD, f"{path} can be read by others", f"chmod 600 {path}")
    return Check("token", CheckResult.GOOD, f"the master token is in {path}")


def _disk(settings: Settings) -> Check:
    path = settings.data if settings.data.exists() else settings.data.parent
    free = shutil.disk_usage(path).free
    message = f"{free / _GIB:.1f} GiB free"
    if free < _FREE_WARNING:
        return Check("disk", CheckResult.WARNING, message, "make room: merges of the mail log need some")
    return Check("disk", CheckResult.GOOD, message)


def _ledger(settings: Settings) -> Check:
    with ledger_of(settings) as ledger:
        workspaces = ledger.tenants.workspaces()
        relays = sum(len(ledger.tenants.relays(one.id)) for one in workspaces)
        backlog, since = ledger.journal.backlog(), ledger.journal.pending_since()
    message = f"{len(workspaces)} workspace(s), {relays} relay(s), {backlog} batch(es) on their way to the mail log"
    age = 0 if since is None else max(0, time.time_ns() // 1_000_000 - since)
    if age > _LATE_MS:
        message += f", the oldest for {age // MINUTE_MS} minutes"
    if backlog > _BACKLOG_WARNING or age > _LATE_MS:
        return Check("ledger", CheckResult.WARNING, message, "is the server running, and does the mail log answer?")
    return Check("ledger", CheckResult.GOOD, message)


def _outbound(settings: Settings) -> Check:
    with ledger_of(settings) as ledger:
        domains = ledger.domains.domains()
    usual = settings.outbound.guillotine
    advised = [volume for each in domains if (volume := advised_volume(each.guillotine or usual))]
    message = f"{len(domains)} sending domain(s)"
    if advised:
        message += f", of which a single bounce or complaint among few mails suspends {len(advised)}"
        return Check(
            "outbound", CheckResult.WARNING, message, f"set `guillotine.minimum_volume`, say to {max(advised)}"
        )
    return Check("outbound", CheckResult.GOOD, message)


def _policy(settings: Settings) -> Check:
    """Where recipients are counted, they have to be told: that is at the end of a message."""
    with ledger_of(settings) as ledger:
        counting = sum(each.counting is Counting.RECIPIENTS for each in ledger.domains.domains())
    stages = _stages_asked(settings)
    if stages is None:
        return Check("policy", CheckResult.GOOD, "no server runs that mail servers could ask")
    told = ", ".join(f"{stage} {count:,.0f}" for stage, count in sorted(stages.items()) if count) or "nothing yet"
    told = f"mail servers have asked since the server started: {told}"
    if any(stages.values()) and not stages.get(END_OF_MESSAGE):
        advice = "set smtpd_end_of_data_restrictions as in deploy/postfix/policy.cf"
        if counting:
            told += f"; {counting} domain(s) count recipients, and each mail counts as one"
            return Check("policy", CheckResult.WARNING, told, advice)
        return Check("policy", CheckResult.GOOD, f"{told}; mail that is given up or refused later counts", advice)
    return Check("policy", CheckResult.GOOD, told)


def _stages_asked(settings: Settings) -> dict[str, float] | None:
    """How often mail servers asked the server that runs here, by stage; None where none runs."""
    held = owner(settings.data)
    if held is None or not held.http:
        return None
    try:
        text = httpx.get(f"{held.http}/metrics", timeout=10).text
    except httpx.HTTPError:
        return None
    found = (family for family in text_string_to_metric_families(text) if family.name == "mailvane_policy_stages")
    samples = (one for family in found for one in family.samples if one.name.endswith("_total"))
    return {one.labels["stage"]: one.value for one in samples}


def _server(settings: Settings) -> Check:
    held = owner(settings.data)
    if held is None or not held.http:
        message = f"{held.purpose} owns the data directory" if held else "no server runs on this data directory"
        return Check("server", CheckResult.WARNING, message, "start it with `mailvane serve`")
    try:
        answer = httpx.get(f"{held.http}/readyz", timeout=10)
    except httpx.HTTPError as error:
        return Check("server", CheckResult.BAD, f"process {held.pid} does not answer on {held.http}: {error}")
    message = f"process {held.pid} on {held.http} is {'ready' if answer.is_success else 'not ready'}"
    if answer.status_code != httpx.codes.OK:
        return Check("server", CheckResult.BAD, f"{message}: {_said(answer)}")
    troubled = [state for state in _followed(answer) if state.standing is not Standing.FOLLOWING]
    if troubled:
        found = "; ".join(f"{state.log}: {state.standing} {state.error}".rstrip() for state in troubled)
        return Check("server", CheckResult.WARNING, f"{message}; {found}", "see the server's log and its metrics")
    return Check("server", CheckResult.GOOD, message)


def _said(answer: httpx.Response) -> str:
    """Why a server is not ready, in its words."""
    try:
        return msgspec.json.decode(answer.content, type=_Problem).detail
    except msgspec.DecodeError:
        return f"it answers {answer.status_code}"


def _followed(answer: httpx.Response) -> list[FollowedLogState]:
    try:
        return msgspec.json.decode(answer.content, type=_Ready).postfix
    except msgspec.DecodeError:
        return []


def _maillog(settings: Settings) -> Check:
    with maillog_anywhere(settings, "mailvane doctor") as maillog:
        health = maillog.health()
    size = health.bytes_on_disk / (1 << 20)
    where = "embedded" if is_embedded(settings) else "served"
    message = f"{where} {health.engine}: {health.events:,} events, {health.deliveries:,} deliveries, {size:,.1f} MiB"
    if health.damage:
        return Check("maillog", CheckResult.BAD, f"{message}; {health.damage}")
    return Check("maillog", CheckResult.GOOD, message)


def _contents(settings: Settings) -> Check:
    """Whether all that is stored can be read, and the views have what the events have."""
    with maillog_anywhere(settings, "mailvane doctor") as maillog:
        found = maillog.verify()
    if not found:
        message = "all that is there can be read, and the views have what the events have"
        return Check("contents", CheckResult.GOOD, message)
    more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    events = any("events:" in each for each in found)
    advice = (
        "`mailvane restore` a backup into a new data directory; without one, `mailvane doctor --accept-loss` goes on"
        " with what is left"
    )
    return Check(
        "contents",
        CheckResult.BAD,
        "the mail log is damaged: " + "; ".join(found[:_SHOWN]) + more,
        advice if events else "`mailvane rebuild` makes the views anew from the events",
    )


def _sources(settings: Settings) -> Check:
    """Outside sources: which fail, when each is asked next, what reports were refused, and who asks one now."""
    now = time.time_ns() // 1_000_000
    with ledger_of(settings) as ledger:
        schedule = SourceSchedule(ledger.assets, ledger.observations, ledger.leases, schedule_of(settings.reputation))
        health = [one for workspace in ledger.tenants.workspaces() for one in schedule.health(workspace.id, now)]
        leases = ledger.leases.leases(now)
    by_source = [[one for one in health if one.source is source] for source in Source]
    messages = [tell(found, now) for tell in (_source_message, _refused_message) for found in by_source]
    held = [f"{lease.name} by {lease.holder} (ends {_soon(lease.until - now)} unless renewed)" for lease in leases]
    finding = "; ".join(filter(None, [*messages, "held now: " + ", ".join(held) if held else ""]))
    failing = [one for one in health if one.failures]
    if failing:
        return Check("sources", CheckResult.WARNING, finding, f"{failing[0].source}: {failing[0].error}")
    if any(now - one.refused_at < DAY_MS for one in health):
        return Check("sources", CheckResult.WARNING, finding, "`GET /mailvane/v1/sources` lists what was refused last")
    return Check("sources", CheckResult.GOOD, finding or "nothing is watched")


def _alerts(settings: Settings) -> Check:
    """Alerts that are switched on and cannot say anything, or not to whom they should."""
    with ledger_of(settings) as ledger:
        warnings = warnings_about(monitoring_settings(settings), ledger)
        active = {
            one.id: [each for each in ledger.alerting.alerts.alerts(one.id) if each.is_active]
            for one in ledger.tenants.workspaces()
        }
        found = {workspace: warnings.of(workspace, alerts) for workspace, alerts in active.items()}
    warned = [
        f"{alert.name} ({alert.id}): {told[0].field}: {told[0].message}"
        for workspace, alerts in active.items()
        for alert in alerts
        if (told := found[workspace].get(alert.id))
    ]
    finding = f"{sum(map(len, active.values()))} active alert(s)"
    if not warned:
        return Check("alerts", CheckResult.GOOD, finding)
    more = [f"{len(warned) - _SHOWN} more"] if len(warned) > _SHOWN else []
    finding = "; ".join([finding, *map(visible, warned[:_SHOWN]), *more])
    return Check("alerts", CheckResult.WARNING, finding, "`mailvane alerts show` tells all of one")


def _source_message(health: list[SourceHealth], now: int) -> str:
    """Of one source, over all workspaces."""
    asked = [one.next_at for one in health if one.next_at]
    if not asked:
        return ""
    failing = sum(1 for one in health if one.failures)
    fails = f", fails for {failing} of {len(health)} workspace(s)" if failing else ""
    return f"{health[0].source} is due {_soon(min(asked) - now)}{fails}"


def _refused_message(health: list[SourceHealth], now: int) -> str:
    """Reports of one source that arrived and could not be read, over all workspaces."""
    refused = [one for one in health if one.refused]
    if not refused:
        return ""
    newest = max(refused, key=lambda one: one.refused_at)
    message = f"{newest.source}: {sum(one.refused for one in refused):,} report(s) refused so far"
    why = f": {visible(newest.refusals[0])}" if newest.refusals else ""
    return f"{message}, the last {_hours(now - newest.refused_at)} ago{why}"


def _soon(ms: int) -> str:
    if ms < MINUTE_MS:
        return "now" if ms <= 0 else f"in {ms // 1000 + 1} s"
    return f"in {ms / MINUTE_MS:,.0f} min" if ms < 2 * HOUR_MS else f"in {ms / HOUR_MS:,.1f} h"


def _source(settings: Settings, number: int) -> Check:
    log = settings.postfix[number]
    name = f"postfix {number + 1}"
    if not log.path.exists():
        return Check(name, CheckResult.BAD, f"{log.path} is not there", "does Postfix log to a file? see maillog_file")
    if not os.access(log.path, os.R_OK):
        return Check(name, CheckResult.BAD, f"{log.path} cannot be read", "add this user to the group of the file")
    return _clock(name, log, log.timezone or settings.timezone)


def _clock(name: str, log: PostfixLog, zone: ZoneInfo) -> Check:
    """Whether the newest stamp is that of the moment at which it was written."""
    now = time.time_ns() // 1_000_000
    try:
        newest = newest_line(log.path, zone, now)
    except InvalidInput as error:
        return Check(name, CheckResult.BAD, error.message)
    message = f"{log.path} for workspace {log.workspace}"
    if newest.stamped is None:
        result = CheckResult.GOOD if newest.empty else CheckResult.WARNING
        return Check(name, result, f"{message}: {'empty' if newest.empty else 'no line near its end is understood'}")
    advice = (
        f"stamps that name no zone are read in {zone.key}: set the timezone of this log, or the clock of its writer"
    )
    if newest.stamped > now + _TOLERANCE:
        return Check(
            name,
            CheckResult.WARNING,
            f"{message}: its newest line is stamped {_hours(newest.stamped - now)} ahead",
            advice,
        )
    if newest.early > _TOLERANCE:
        found = f"its newest line is stamped {_hours(newest.early)} before it was written"
        return Check(name, CheckResult.WARNING, f"{message}: {found}", advice)
    return Check(name, CheckResult.GOOD, f"{message}: newest line of {_hours(now - newest.stamped)} ago")


def _hours(milliseconds: int) -> str:
    minutes = max(0, milliseconds) // MINUTE_MS
    return f"{minutes // 60} h {minutes % 60} min"
