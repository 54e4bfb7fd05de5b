"""What the `[reputation]` table of the settings file says of what is watched, with defaults and help. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidInput, InvalidSetting
from mailvane.core.mailbox import read_mailbox
from mailvane.core.setting_tables import Part

_Port = Annotated[int, Meta(ge=1, le=65535)]
_Path = Annotated[str, Meta(pattern="^/")]
_Hours = Annotated[float, Meta(gt=0, le=24 * 366)]


class DailyReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail of yesterday's alerts."""

    to: Annotated[tuple[str, ...], Meta(description="Mailboxes that get the daily report; none, no report.")] = ()
    workspaces: Annotated[
        Mapping[str, tuple[str, ...]],
        Meta(
            description="Who gets the report of a workspace in place of `to`, such as"
            ' `{ acme = ["ops@acme.example"] }`; an empty list: nobody.'
        ),
    ] = {}
    hour: Annotated[Annotated[int, Meta(ge=0, le=23)], Meta(description="Hour of the day at which it is sent.")] = 7
    timezone: Annotated[str, Meta(description="Time zone of that hour and of the day it tells of.")] = "UTC"


class ReputationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How outside sources are asked, and when their word is old."""

    refresh_hours: Annotated[_Hours, Meta(description="How often each source is asked about an asset.")] = 24.0
    stale_hours: Annotated[
        _Hours, Meta(description="An observation that was not confirmed for so long is unknown: no alert fires by it.")
    ] = 48.0
    own_rules_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=3600)],
        Meta(description="How often this server looks at its own limits, logs and sources, and alerts about these."),
    ] = 60
    resolvers: Annotated[
        tuple[str, ...],
        Meta(description="DNS resolvers, as ADDRESS or ADDRESS:PORT; this machine's when none. Not a public one."),
    ] = ()
    lookups_at_once: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)], Meta(description="DNS look-ups that are under way at the same time.")
    ] = 500
    daily_report: Annotated[DailyReport, Meta(description="The mail of yesterday's alerts; its keys are below.")] = (
        DailyReport()
    )
    postmaster_credentials: Annotated[
        _Path | None,
        Meta(description="JSON file of a Google service account, or of a user's refresh token; none, not asked."),
    ] = None
    postmaster_url: Annotated[str, Meta(description="Address of Google Postmaster Tools.")] = (
        "https://gmailpostmastertools.googleapis.com"
    )
    snds_url: Annotated[str, Meta(description="Address of SNDS automated data access.")] = (
        "https://sendersupport.olc.protection.outlook.com/snds"
    )
    snds_timezone: Annotated[str, Meta(description="Time zone of the stamps in SNDS data.")] = "America/Los_Angeles"
    rdap_bootstrap: Annotated[str, Meta(description="Address or path of IANA's list of RDAP servers.")] = (
        "https://data.iana.org/rdap/dns.json"
    )


def _check(read: ReputationSettings, where: str) -> None:
    for name, zone in (
        ("daily_report: timezone", read.daily_report.timezone), ("snds_timezone", read.snds_timezone)
    ):  # fmt: skip
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise InvalidSetting(f"{where}: {name}: there is no time zone {zone!r}") from None
    report = read.daily_report
    for name, mailboxes in (
        ("to", report.to),
        *((f"workspaces: {each}", to) for each, to in report.workspaces.items()),
    ):
        for written in mailboxes:
            try:
                read_mailbox(written)
            except InvalidInput as error:
                raise InvalidSetting(f"{where}: daily_report: {name}: {error.message}") from None


PART = Part(ReputationSettings, ("daily_report",), _check)
