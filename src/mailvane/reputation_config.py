"""The `[reputation]` table of the settings file: what it may say, with defaults and help. Values only."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from mailvane.domain.mailbox import read_mailbox
from mailvane.errors import InvalidInput, InvalidSetting
from mailvane.setting_tables import TableKey, as_toml, check_names, description_of, plain

_Port = Annotated[int, Meta(ge=1, le=65535)]
_Path = Annotated[str, Meta(pattern="^/")]
_Hours = Annotated[float, Meta(gt=0, le=24 * 366)]


class OutgoingMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SMTP server that alert mails leave by; better not the relay that is watched."""

    host: Annotated[str, Meta(description="SMTP server for alert mails and the daily report; none, no mail.")] = ""
    port: Annotated[_Port, Meta(description="Its port.")] = 587
    security: Annotated[Literal["starttls", "tls", "none"], Meta(description="How the connection is protected.")] = (
        "starttls"
    )
    user: Annotated[str, Meta(description="Login, if it wants one.")] = ""
    password_file: Annotated[_Path | None, Meta(description="File that holds the password.")] = None
    sender: Annotated[
        str, Meta(description="Whom alert mails come from, as `address` or `Name <address>`; the envelope, too.")
    ] = "mailvane@localhost"


class DailyReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail of yesterday's alerts."""

    to: Annotated[tuple[str, ...], Meta(description="Mailboxes that get the daily report; none, no report.")] = ()
    hour: Annotated[Annotated[int, Meta(ge=0, le=23)], Meta(description="Hour of the day at which it is sent.")] = 7
    timezone: Annotated[str, Meta(description="Time zone of that hour and of the day it tells of.")] = "UTC"


class ImapMailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where reports arrive by mail."""

    host: Annotated[str, Meta(description="IMAP server of the mailbox that reports arrive in; none, no mailbox.")] = ""
    port: Annotated[_Port, Meta(description="Its port.")] = 993
    security: Annotated[Literal["tls", "none"], Meta(description="How the connection is protected.")] = "tls"
    user: Annotated[str, Meta(description="Login.")] = ""
    password_file: Annotated[_Path | None, Meta(description="File that holds the password.")] = None
    folder: Annotated[str, Meta(description="Folder to read; read messages are marked as seen.")] = "INBOX"
    workspace: Annotated[str, Meta(description="Workspace that the reports belong to.")] = "default"


class ReportDirectory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where reports arrive as files."""

    path: Annotated[_Path | None, Meta(description="Directory that reports are put into; none, no directory.")] = None
    workspace: Annotated[str, Meta(description="Workspace that the reports belong to.")] = "default"


class ReputationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How outside sources are asked, and how people are told."""

    refresh_hours: Annotated[_Hours, Meta(description="How often each source is asked about an asset.")] = 24.0
    stale_hours: Annotated[
        _Hours, Meta(description="An observation that was not confirmed for so long is unknown: no alert fires by it.")
    ] = 48.0
    resolvers: Annotated[
        tuple[str, ...],
        Meta(description="DNS resolvers, as ADDRESS or ADDRESS:PORT; this machine's when none. Not a public one."),
    ] = ()
    lookups_at_once: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)], Meta(description="DNS look-ups that are under way at the same time.")
    ] = 500
    allowed_targets: Annotated[
        tuple[str, ...],
        Meta(description="Private hosts or networks that webhooks may reach, such as `10.1.2.0/24`; else none."),
    ] = ()
    daily_report: Annotated[DailyReport, Meta(description="The mail of yesterday's alerts; its keys are below.")] = (
        DailyReport()
    )
    mail: Annotated[OutgoingMail, Meta(description="How alert mails leave; its keys are below.")] = OutgoingMail()
    reports_mailbox: Annotated[
        ImapMailbox, Meta(description="Where DMARC, TLS and failure reports arrive by mail; its keys are below.")
    ] = ImapMailbox()
    reports_directory: Annotated[
        ReportDirectory, Meta(description="Where they arrive as files; its keys are below.")
    ] = ReportDirectory()
    reports_address: Annotated[
        str, Meta(description="Address that domain owners put into `rua=`; shown to clients.")
    ] = ""
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


_INNER = ("daily_report", "mail", "reports_mailbox", "reports_directory")


def declared_reputation() -> list[TableKey]:
    """Every key, in the order in which people should read of them."""
    keys = _keys(ReputationSettings, "")
    hints = get_type_hints(ReputationSettings)
    return keys + [key for name in _INNER for key in _keys(hints[name], f"{name}.")]


def _keys(kind: type[msgspec.Struct], prefix: str) -> list[TableKey]:
    defaults = msgspec.to_builtins(kind())
    return [
        TableKey(prefix + name, "see below" if name in _INNER else as_toml(defaults[name]), description_of(hint))
        for name, hint in get_type_hints(kind, include_extras=True).items()
    ]


def read_reputation(table: object, where: str) -> ReputationSettings:
    """The table as it was written. Raises InvalidSetting with one line that says which key and what is expected."""
    if not isinstance(table, dict):
        raise InvalidSetting(f"{where}: expected a table")
    check_names(table, ReputationSettings.__struct_fields__, where)
    hints = get_type_hints(ReputationSettings)
    for name in _INNER:
        if isinstance(table.get(name), dict):
            check_names(table[name], hints[name].__struct_fields__, f"{where}: {name}")
    try:
        read = msgspec.convert(table, ReputationSettings)
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{where}: {plain(error)}") from None
    _check(read, where)
    return read


def _check(read: ReputationSettings, where: str) -> None:
    for name, zone in (
        ("daily_report: timezone", read.daily_report.timezone), ("snds_timezone", read.snds_timezone)
    ):  # fmt: skip
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise InvalidSetting(f"{where}: {name}: there is no time zone {zone!r}") from None
    mailboxes = [("mail: sender", read.mail.sender), *(("daily_report: to", each) for each in read.daily_report.to)]
    for name, written in mailboxes:
        try:
            read_mailbox(written)
        except InvalidInput as error:
            raise InvalidSetting(f"{where}: {name}: {error.message}") from None
    for target in read.allowed_targets:
        if "/" not in target:
            continue
        try:
            ip_network(target)
        except ValueError:
            raise InvalidSetting(f"{where}: allowed_targets: {target!r} is no host and no network") from None
