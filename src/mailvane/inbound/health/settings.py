"""What the `[health]` table of the settings file says of the health report, with defaults and help. Values only."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidInput, InvalidSetting
from mailvane.core.mailbox import read_mailbox
from mailvane.core.setting_tables import Part

_Path = Annotated[str, Meta(pattern="^/")]
_Count = Annotated[int, Meta(ge=0, le=10**12)]


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody whose mail is reported on: a workspace of this server, or a team of a Cleanbox-compatible one."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    workspace: str = ""
    url: str = ""  # with the version, such as https://api.cleanbox.app/v1
    key: str = ""
    key_file: _Path | None = None


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Above which figures there is an alert."""

    usage_pct: Annotated[_Count, Meta(description="Percent of the weekly limit at which there is an alert.")] = 80
    quarantine: Annotated[_Count, Meta(description="More messages than these in quarantine are an alert.")] = 10
    failed: Annotated[_Count, Meta(description="More failed deliveries than these are an alert.")] = 5
    sender: Annotated[
        _Count, Meta(description="More mails than these from a contact that nobody has decided on are an alert.")
    ] = 50


class Remediation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quarantined mail of whitelisted contacts is accepted without a person."""

    mode: Annotated[
        Literal["off", "dry-run", "apply"],
        Meta(description="What the schedule does: nothing, say what it would accept, or accept it."),
    ] = "off"
    backlog: Annotated[_Count, Meta(description="It begins when there are more messages than these in quarantine.")] = (
        10
    )
    per_hour: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)], Meta(description="Messages that are accepted for a team in an hour.")
    ] = 20


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who is reported on, to whom, and when."""

    teams: Annotated[
        tuple[Team, ...],
        Meta(
            description="Whom to report on, a table `[[health.teams]]` each: `name`, and `workspace` of this server or"
            " `url` with `key` or `key_file` of a Cleanbox-compatible one. None: every workspace of this server."
        ),
    ] = ()
    schedule: Annotated[
        bool, Meta(description="Whether `mailvane serve` makes the report each day by itself, in the role worker.")
    ] = False
    hour: Annotated[
        Annotated[int, Meta(ge=0, le=23)],
        Meta(description="Hour of the day at which it is due; also for `mailvane report health --scheduled`."),
    ] = 8
    timezone: Annotated[str, Meta(description="Time zone of the report's hour and of the days of trends.")] = "UTC"
    slack_url_file: Annotated[
        _Path | None, Meta(description="File that holds the address of the Slack incoming webhook to post to.")
    ] = None
    mail_to: Annotated[
        tuple[str, ...], Meta(description="Mailboxes that get the report, by the server of `[reputation.mail]`.")
    ] = ()
    prometheus_minutes: Annotated[
        Annotated[int, Meta(ge=0, le=1440)],
        Meta(
            description="How often the figures at /metrics are collected anew; 0: they are not shown there. Everybody"
            " may read /metrics, and these name the teams."
        ),
    ] = 0
    influx_url: Annotated[
        str,
        Meta(description="Where InfluxDB takes line protocol, such as `http://host:8086/api/v2/write?org=o&bucket=b`."),
    ] = ""
    influx_token_file: Annotated[_Path | None, Meta(description="File that holds its token.")] = None
    timeout_seconds: Annotated[
        Annotated[float, Meta(gt=0, le=600)], Meta(description="How long a server may take to answer one question.")
    ] = 30.0
    top_senders: Annotated[
        Annotated[int, Meta(ge=1, le=100)], Meta(description="How many of the busiest contacts are looked at.")
    ] = 5
    thresholds: Annotated[Thresholds, Meta(description="When there is an alert; its keys are below.")] = Thresholds()
    remediation: Annotated[
        Remediation, Meta(description="Whether quarantined mail of whitelisted contacts is accepted; keys below.")
    ] = Remediation()


def _check(read: HealthSettings, where: str) -> None:
    try:
        ZoneInfo(read.timezone)
    except (KeyError, ValueError, OSError):
        raise InvalidSetting(f"{where}: timezone: there is no time zone {read.timezone!r}") from None
    for written in read.mail_to:
        try:
            read_mailbox(written)
        except InvalidInput as error:
            raise InvalidSetting(f"{where}: mail_to: {error.message}") from None
    if read.influx_url and urlsplit(read.influx_url).scheme not in {"http", "https"}:
        raise InvalidSetting(f"{where}: influx_url: expected an address that begins with https:// or http://")
    names = [team.name for team in read.teams]
    for team in read.teams:
        if names.count(team.name) > 1:
            raise InvalidSetting(f"{where}: teams: {team.name} is there twice")
        _check_team(team, f"{where}: teams: {team.name}")


def _check_team(team: Team, where: str) -> None:
    if bool(team.url) == bool(team.workspace):
        raise InvalidSetting(f"{where}: expected either url or workspace")
    if team.workspace and (team.key or team.key_file):
        raise InvalidSetting(f"{where}: a workspace of this server needs no key")
    if team.url:
        check_base_url(team.url, f"{where}: url")
        if bool(team.key) == bool(team.key_file):
            raise InvalidSetting(f"{where}: expected either key or key_file")


def check_base_url(url: str, where: str) -> None:
    """Raises InvalidSetting."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidSetting(f"{where}: the address cannot be understood") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidSetting(f"{where}: expected an address that begins with https:// or http://")
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidSetting(f"{where}: expected scheme, host, port and path only")


PART = Part(HealthSettings, ("thresholds", "remediation"), _check)
