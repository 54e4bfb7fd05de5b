"""What the `[reputation]` table of the settings file says of reports about one's mail. Values only."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import Part

_Port = Annotated[int, Meta(ge=1, le=65535)]
_Path = Annotated[str, Meta(pattern="^/")]


class ImapMailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where reports arrive by mail."""

    host: Annotated[str, Meta(description="IMAP server of the mailbox that reports arrive in; none, no mailbox.")] = ""
    port: Annotated[_Port, Meta(description="Its port.")] = 993
    security: Annotated[Literal["tls", "none"], Meta(description="How the connection is protected.")] = "tls"
    user: Annotated[str, Meta(description="Login.")] = ""
    password_file: Annotated[_Path | None, Meta(description="File that holds the password.")] = None
    via: Annotated[
        Literal["imap", "graph", "gmail"],
        Meta(description="How it is read: IMAP, the API of Microsoft Graph or that of Gmail; these want no `host`."),
    ] = "imap"
    oauth_file: Annotated[
        _Path | None,
        Meta(description="JSON file for OAuth 2 in place of a password; docs/how-to/report-mailbox.md says what of."),
    ] = None
    api_url: Annotated[str, Meta(description="Another address of the API than Microsoft's or Google's own.")] = ""
    folder: Annotated[str, Meta(description="Folder to read; read messages are marked as seen.")] = "INBOX"
    workspace: Annotated[str, Meta(description="Workspace that the reports belong to.")] = "default"

    @property
    def is_set(self) -> bool:
        return bool(self.host) or self.via != "imap"


class ReportDirectory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where reports arrive as files."""

    path: Annotated[_Path | None, Meta(description="Directory that reports are put into; none, no directory.")] = None
    workspace: Annotated[str, Meta(description="Workspace that the reports belong to.")] = "default"


class DmarcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where reports arrive."""

    reports_mailbox: Annotated[
        ImapMailbox, Meta(description="Where DMARC, TLS and failure reports arrive by mail; its keys are below.")
    ] = ImapMailbox()
    reports_directory: Annotated[
        ReportDirectory, Meta(description="Where they arrive as files; its keys are below.")
    ] = ReportDirectory()
    reports_address: Annotated[
        str, Meta(description="Address that domain owners put into `rua=`; shown to clients.")
    ] = ""


def reports_arrive_for(settings: DmarcSettings) -> list[tuple[str, str]]:
    """The workspaces for which reports arrive, with the setting that says so."""
    mailbox, directory = settings.reports_mailbox, settings.reports_directory
    named = [(mailbox.workspace, "reputation.reports_mailbox")] if mailbox.is_set else []
    return named + ([(directory.workspace, "reputation.reports_directory")] if directory.path is not None else [])


def _check(read: DmarcSettings, where: str) -> None:
    chosen = read.reports_mailbox
    if chosen.via != "imap" and (chosen.oauth_file is None or not chosen.user):
        raise InvalidSetting(f"{where}: reports_mailbox: via = {chosen.via!r} needs user and oauth_file")
    if chosen.oauth_file is not None and chosen.password_file is not None:
        raise InvalidSetting(f"{where}: reports_mailbox: a password_file and an oauth_file: one of them is enough")
    if chosen.api_url and urlsplit(chosen.api_url).scheme not in {"https", "http"}:
        raise InvalidSetting(f"{where}: reports_mailbox: api_url: expected an address that begins with https://")


PART = Part(DmarcSettings, ("reports_mailbox", "reports_directory"), _check)
