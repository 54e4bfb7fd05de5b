"""What the `[reputation]` table of the settings file says of reports about one's mail. Values only."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

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
    folder: Annotated[str, Meta(description="Folder to read; read messages are marked as seen.")] = "INBOX"
    workspace: Annotated[str, Meta(description="Workspace that the reports belong to.")] = "default"


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


PART = Part(DmarcSettings, ("reports_mailbox", "reports_directory"))
