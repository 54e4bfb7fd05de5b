"""`mailvane doctor`: everything that can be wrong with an installation, looked at one by one, with advice."""

from __future__ import annotations

import shutil
import stat
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from mailvane import __version__
from mailvane.core.decoding import prepared
from mailvane.core.errors import (
    CollectionFailed,
    InvalidSetting,
    LedgerDamaged,
    LedgerMismatch,
    MailvaneError,
    NotAuthenticated,
    StoreDamaged,
    StoreInUse,
    StoreTooNew,
    Transient,
)
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dmarc.oauth import read_oauth_file
from mailvane.dmarc.readers.containers import visible
from mailvane.maillog.followed_logs import FollowedLogState, Standing
from mailvane.maillog.queries import LogQuestion
from mailvane.outbound.admission.rules import advised_volume
from mailvane.outbound.model import Counting, Guillotine
from mailvane.outbound.policy.protocol import END_OF_MESSAGE
from mailvane.reputation.model import Source, SourceHealth
from mailvane.reputation.source_schedule import SourceSchedule
from mailvane.server.alerting import monitoring_settings, schedule_of, warnings_about
from mailvane.server.asking import is_embedded, maillog_anywhere
from mailvane.server.followed_log_check import TOLERANCE, followed_log, hours
from mailvane.server.ledgers import ledger_of
from mailvane.server.program import Check, CheckResult
from mailvane.server.running_server import ServerUser, running_server, server_user
from mailvane.server.settings import CONFIG_FILE, TOKEN_FILE, Settings, base_url, shown
from mailvane.server.unread_settings import idle_settings, unread_by, unread_files

_GIB = 1 << 30
_FREE_WARNING = 5 * _GIB
_BACKLOG_WARNING = 1000
_LATE_MS = 5 * MINUTE_MS  # a batch is on its way for less than a second where all is well
_SHOWN = 5  # findings
_LONGEST_ERROR = 600  # characters: what a server said stands behind what it is about
_MOST_WORKSPACES = 50  # that are asked for their newest mail
_ADVICE: tuple[tuple[type[MailvaneError], str], ...] = (
    (StoreInUse, "wait for it to end, or stop it; then try again"),
    (LedgerMismatch, "see docs/how-to/recover.md"),
    (LedgerDamaged, "bring back the one of the last backup: docs/how-to/recover.md"),
    (StoreDamaged, "see docs/how-to/recover.md"),
    (StoreTooNew, "run the version of Mailvane that wrote it, or a later one"),
    (InvalidSetting, "correct the setting that is named"),
    (NotAuthenticated, "the token was changed after the server began: restart it, or put back the one that it knows"),
    (Transient, "is what is named running, reachable from here, and not full? Then try again"),
    (MailvaneError, "correct what is named; docs/how-to/recover.md helps with stores"),
)


class _Problem(msgspec.Struct):
    detail: str = ""


class _Ready(msgspec.Struct):
    postfix: list[FollowedLogState] = []


def checks(settings: Settings, deep: bool = False) -> Iterator[Check]:
    """Every check, in the order in which one depends on the other; deep: what is stored is read, too."""
    stored = (_maillog, _contents) if deep else (_maillog,)
    told: dict[str, str] = {}  # in which line, by what kept a check from being made
    for check in (
        _versions,
        _settings,
        _unread,
        _data,
        _token,
        _disk,
        _ledger,
        _nodes,
        _outbound,
        _policy,
        _server,
        *stored,
        _stamps,
        _sources,
        _report_mailbox,
        _alerts,
    ):
        name = check.__name__.strip("_")
        try:
            yield check(settings)
        except MailvaneError as error:
            before = told.setdefault(error.message, name)
            found = (error.message, _advice(error)) if before == name else ("cannot be looked at", f"see {before}")
            yield Check(name, CheckResult.BAD, *found)
    for number in range(len(settings.postfix)):
        try:
            yield followed_log(settings, number)
        except MailvaneError as error:
            yield Check(
                f"postfix {number + 1}", CheckResult.BAD, error.message, "name a plain log file that is written"
            )


def _advice(error: MailvaneError) -> str:
    """What to do about a check that could not be made."""
    return next(advice for kind, advice in _ADVICE if isinstance(error, kind))


def _versions(_: Settings) -> Check:
    python = ".".join(str(part) for part in sys.version_info[:3])
    told = f"mailvane {__version__}, Python {python}, chDB {version('chdb')}"
    return Check("versions", CheckResult.GOOD, told)


def _settings(settings: Settings) -> Check:
    message = ", ".join(f"{name}={value}" for name, value in shown(settings).items() if name in {"http", "timezone"})
    return Check("settings", CheckResult.GOOD, f"{message}; {len(settings.postfix)} mail log(s) to follow")


def _nodes(settings: Settings) -> Check:
    """Whether the servers on this ledger all run, and in one version."""
    now = time.time_ns() // 1_000_000
    with ledger_of(settings) as ledger:
        nodes = ledger.nodes.nodes()
    silent = [node.name for node in nodes if node.is_silent(now)]
    if silent:
        finding = f"{', '.join(silent[:_SHOWN])} ended without a word"
        return Check("nodes", CheckResult.WARNING, finding, "start it again; it is forgotten after a day")
    versions = sorted({node.version for node in nodes})
    if len(versions) > 1:
        finding = f"versions {', '.join(versions)} run side by side"
        return Check("nodes", CheckResult.WARNING, finding, "bring every node to one version")
    return Check("nodes", CheckResult.GOOD, f"{len(nodes)} server(s) run on this ledger")


def _data(settings: Settings) -> Check:
    path, user = settings.data, server_user(settings, running_server(settings))
    if not path.exists():
        return Check("data", CheckResult.WARNING, f"{path} is not there yet", "it is made by the first command")
    rights = [user.may(path, right) for right in "wx"]
    if False in rights:
        finding = f"{path} cannot be written by {user.name}, as whom the server runs"
        return Check("data", CheckResult.BAD, finding, f"chown -R {user.uid}:{user.gid} {path}")
    if None in rights:
        finding = f"{path} belongs to {user.name}: what the server may do cannot be seen by this user"
        return Check("data", CheckResult.WARNING, finding, f"run this as {user.name} or as root")
    if strange := _not_its_own(path, user):
        finding = f"{strange} cannot be written by {user.name}, as whom the server runs"
        advice = f"run commands as {user.name}, and now: chown -R {user.uid}:{user.gid} {path}"
        return Check("data", CheckResult.BAD, finding, advice)
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
        return Check("data", CheckResult.WARNING, f"{path} can be read by everybody", f"chmod o-rx {path}")
    return Check("data", CheckResult.GOOD, str(path))


def _not_its_own(data: Path, user: ServerUser) -> Path | None:
    """Something at the top of the data directory that a command made as another user, which the server cannot write."""
    found = sorted(each for each in data.iterdir() if each.name != CONFIG_FILE and each.lstat().st_uid != user.uid)
    return next((each for each in found if user.may(each, "w") is False), None)


def _token(settings: Settings) -> Check:
    if settings.master_token is not None:
        return Check("token", CheckResult.GOOD, "the master token is a setting")
    path = settings.data / TOKEN_FILE
    if not path.exists():
        return Check("token", CheckResult.GOOD, "the master token is made at the first start")
    user = server_user(settings, running_server(settings))
    if user.may(path, "r") is False:
        return Check("token", CheckResult.BAD, f"{path} cannot be read by {user.name}", f"chown {user.uid} {path}")
    if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("token", CheckResult.BAD, f"{path} can be read by others", f"chmod 600 {path}")
    return Check("token", CheckResult.GOOD, f"the master token is in {path}")


def _disk(settings: Settings) -> Check:
    if not is_embedded(settings) and not settings.ledger.startswith("sqlite:"):
        return Check("disk", CheckResult.GOOD, "both stores are elsewhere, and so are their disks")
    path = settings.data if settings.data.exists() else settings.data.parent
    free = shutil.disk_usage(path).free
    message = f"{free / _GIB:.1f} GiB free" if free >= _GIB else f"{free / 2**20:.0f} MiB free"
    if free < _FREE_WARNING:
        return Check("disk", CheckResult.WARNING, message, "make room: merges of the mail log need some")
    return Check("disk", CheckResult.GOOD, message)


def _ledger(settings: Settings) -> Check:
    with ledger_of(settings) as ledger:
        workspaces = ledger.tenants.workspaces()
        relays = sum(len(ledger.tenants.relays(one.id)) for one in workspaces)
        backlog, since = ledger.journal.backlog(), ledger.journal.pending_since()
    kind = "SQLite" if settings.ledger.startswith("sqlite:") else "PostgreSQL"
    message = (
        f"{kind}: {len(workspaces)} workspace(s), {relays} relay(s), {backlog} batch(es) on their way to the mail log"
    )
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
    if not domains and (volume := advised_volume(usual)) and usual != Guillotine():
        finding = f"{message}, and a rule by which a single bounce or complaint among few mails suspends the next one"
        return Check("outbound", CheckResult.WARNING, finding, f"set `guillotine.minimum_volume`, say to {volume}")
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
    """How often mail servers asked the server that runs, by stage; None where none runs."""
    server = running_server(settings)
    if server is None or not server.http:
        return None
    try:
        text = server.get("/metrics").text
    except httpx.HTTPError:
        return None
    found = (family for family in text_string_to_metric_families(text) if family.name == "mailvane_policy_stages")
    samples = (one for family in found for one in family.samples if one.name.endswith("_total"))
    return {one.labels["stage"]: one.value for one in samples}


def _server(settings: Settings) -> Check:
    server = running_server(settings)
    if server is None or not server.http:
        where = "on this data directory" if is_embedded(settings) else f"on {base_url(settings)}"
        message = f"{server.purpose} owns the data directory" if server else f"no server runs {where}"
        return Check("server", CheckResult.WARNING, message, "start it with `mailvane serve`")
    try:
        answer = server.get("/readyz")
    except httpx.HTTPError as error:
        finding = f"{server.name} does not answer: {error}"
        return Check("server", CheckResult.BAD, finding, "see the server's log; if it hangs, restart it")
    message = f"{server.name} is {'ready' if answer.is_success else 'not ready'}"
    if answer.status_code != httpx.codes.OK:
        advice = "what is named does not answer or is not read: see the other lines here, and the server's log"
        return Check("server", CheckResult.BAD, f"{message}: {_said(answer)}", advice)
    troubled = [state for state in _followed(answer) if state.standing is not Standing.FOLLOWING]
    if troubled:
        found = "; ".join(f"{state.log}: {state.standing} {state.error}".rstrip() for state in troubled)
        return Check("server", CheckResult.WARNING, f"{message}; {found}", "see the server's log and its metrics")
    return Check("server", CheckResult.GOOD, message)


def _unread(settings: Settings) -> Check:
    """Settings that somebody wrote and the server, or nobody, reads."""
    found = [*unread_files(settings), *idle_settings(settings)]
    server = running_server(settings)
    if server is not None:
        found += unread_by(server, settings)
    if not found:
        return Check("unread", CheckResult.GOOD, "every setting that is written is read")
    advice = "; ".join(dict.fromkeys(each.advice for each in found))
    return Check("unread", CheckResult.WARNING, "; ".join(each.finding for each in found), advice)


def _said(answer: httpx.Response) -> str:
    """Why a server is not ready, in its words."""
    try:
        return msgspec.json.decode(answer.content, type=prepared(_Problem)).detail
    except msgspec.DecodeError:
        return f"it answers {answer.status_code}"


def _followed(answer: httpx.Response) -> list[FollowedLogState]:
    try:
        return msgspec.json.decode(answer.content, type=prepared(_Ready)).postfix
    except msgspec.DecodeError:
        return []


def _maillog(settings: Settings) -> Check:
    with maillog_anywhere(settings, "mailvane doctor") as maillog:
        health = maillog.health()
    size = health.bytes_on_disk / (1 << 20)
    where = "embedded" if is_embedded(settings) else "served"
    message = f"{where} {health.engine}: {health.events:,} events, {health.deliveries:,} deliveries, {size:,.1f} MiB"
    if health.damage:
        advice = "`mailvane doctor --deep` says more; `mailvane restore` a backup into a new data directory"
        return Check("maillog", CheckResult.BAD, f"{message}; {health.damage}", advice)
    return Check("maillog", CheckResult.GOOD, message)


def _contents(settings: Settings) -> Check:
    """Whether all that is stored can be read, and the views have what the events have."""
    with maillog_anywhere(settings, "mailvane doctor") as maillog:
        found = maillog.verify()
    if not found:
        message = "all that is there can be read, and the views have what the events have"
        return Check("contents", CheckResult.GOOD, message)
    events = any("events:" in each for each in found)
    advice = (
        "`mailvane restore` a backup into a new data directory; without one, `mailvane doctor --accept-loss` goes on"
        " with what is left"
    )
    return Check(
        "contents",
        CheckResult.BAD,
        "the mail log is damaged: " + "; ".join(found[:_SHOWN]) + _rest(found),
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


def _report_mailbox(settings: Settings) -> Check:
    """Whether what the mailbox is opened with can be read; how it goes stands with the sources."""
    chosen = settings.dmarc.reports_mailbox
    name = "report mailbox"
    if not chosen.is_set:
        return Check(name, CheckResult.GOOD, "none is set")
    finding = f"{chosen.user} by {chosen.via}, " + ("OAuth 2" if chosen.oauth_file else "a password")
    if chosen.oauth_file is not None:
        try:
            read_oauth_file(chosen.oauth_file)
        except CollectionFailed as error:
            return Check(name, CheckResult.BAD, error.message, "docs/how-to/report-mailbox.md says what stands in it")
        if (found := _open_to_others(name, Path(chosen.oauth_file), settings)) is not None:
            return found
    now = time.time_ns() // 1_000_000
    with ledger_of(settings) as ledger:
        workspace = ledger.tenants.workspace_named(chosen.workspace)
        if workspace is None:
            advice = f"`mailvane workspace create {chosen.workspace}`, or another name in [reputation.reports_mailbox]"
            return Check(name, CheckResult.BAD, f"there is no workspace {visible(chosen.workspace)}", advice)
        health = [
            each for each in ledger.observations.health(workspace.id) if each.source is Source.DMARC and each.failures
        ]
    if health:
        told = (
            f"{finding}: has failed for {hours(now - health[0].failed_at)}: {visible(health[0].error, _LONGEST_ERROR)}"
        )
        return Check(name, CheckResult.WARNING, told, "docs/how-to/report-mailbox.md says what an administrator grants")
    return Check(name, CheckResult.GOOD, finding)


def _open_to_others(name: str, secret: Path, settings: Settings) -> Check | None:
    """A file with a secret that the server may not read, or others may."""
    user = server_user(settings, running_server(settings))
    if user.may(secret, "r") is False:
        return Check(name, CheckResult.BAD, f"{secret} cannot be read by {user.name}", f"chown {user.uid} {secret}")
    closed = not stat.S_IMODE(secret.resolve().parent.stat().st_mode) & stat.S_IXOTH
    if not closed and stat.S_IMODE(secret.stat().st_mode) & stat.S_IROTH:
        return Check(name, CheckResult.WARNING, f"{secret} can be read by others", f"chmod o-r {secret}")
    return None


def _alerts(settings: Settings) -> Check:
    """Alerts that are switched on and cannot say anything, or not to whom they should."""
    with ledger_of(settings) as ledger:
        warnings = warnings_about(monitoring_settings(settings), ledger)
        active = {
            one.id: [each for each in ledger.alerting.alerts.alerts(one.id) if each.is_active]
            for one in ledger.tenants.workspaces()
        }
        found = {workspace: warnings.of(workspace, alerts) for workspace, alerts in active.items()}
    # What is wrong with the server is wrong with many alerts, and said once.
    warned: dict[str, list[str]] = {}
    for workspace, alerts in active.items():
        for alert in alerts:
            if told := found[workspace].get(alert.id):
                warned.setdefault(f"{told[0].field}: {told[0].message}", []).append(f"{alert.name} ({alert.id})")
    finding = f"{sum(map(len, active.values()))} active alert(s)"
    if not warned:
        return Check("alerts", CheckResult.GOOD, finding)
    each = [f"{_some(names)}: {message}" for message, names in warned.items()]
    finding = "; ".join([finding, *map(visible, each[:_SHOWN])]) + _rest(each)
    return Check("alerts", CheckResult.WARNING, finding, "`mailvane alerts show ALERT_ID` tells all of one")


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + _rest(names)


def _rest(found: list[str]) -> str:
    return f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""


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
    return f"{message}, the last {hours(now - newest.refused_at)} ago{why}"


def _soon(ms: int) -> str:
    if ms < MINUTE_MS:
        return "now" if ms <= 0 else f"in {ms // 1000 + 1} s"
    return f"in {ms / MINUTE_MS:,.0f} min" if ms < 2 * HOUR_MS else f"in {ms / HOUR_MS:,.1f} h"


def _stamps(settings: Settings) -> Check:
    """Whether the newest mail of each workspace is from before now."""
    now = time.time_ns() // 1_000_000
    with ledger_of(settings) as ledger:
        asked = {one: tuple(each.id for each in ledger.tenants.relays(one.id)) for one in ledger.tenants.workspaces()}
    ahead, newest = [], 0
    with maillog_anywhere(settings, "mailvane doctor") as maillog:
        for workspace, relays in list(asked.items())[:_MOST_WORKSPACES]:
            page = maillog.search(LogQuestion(workspace=workspace.id, relays=relays, limit=1))
            at = max((each.accepted_at for each in page.deliveries), default=0)
            newest = max(newest, at)
            if at > now + TOLERANCE:
                ahead.append(f"{workspace.name} has mail accepted {hours(at - now)} from now")
    if ahead:
        advice = "set the clock of the mail server that wrote it, or the time zone that its stamps are read in"
        return Check("stamps", CheckResult.WARNING, "; ".join(ahead[:_SHOWN]), advice)
    told = f"the newest mail is of {hours(now - newest)} ago" if newest else "there is no mail yet"
    return Check("stamps", CheckResult.GOOD, told)
