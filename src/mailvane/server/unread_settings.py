"""Settings that somebody wrote and nobody reads: files beside the one that counts, what was changed while the server
runs, what has no effect as another setting is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mailvane.dmarc.settings import ImapMailbox, ReportDirectory
from mailvane.notify.settings import NotifySettings
from mailvane.server.running_server import RunningServer
from mailvane.server.settings import CONFIG_FILE, Settings, fingerprints

_USUAL_PLACES = (Path(), Path("/etc/mailvane"), Path("/etc"))


class Unread(msgspec.Struct, frozen=True):
    """What is not read, and what to do."""

    finding: str
    advice: str


def unread_files(settings: Settings) -> Iterator[Unread]:
    """Files of the name that settings have, where people put them, beside the one that is read."""
    seen = {settings.config.resolve()} if settings.config is not None else set()
    for directory in (settings.data, *_USUAL_PLACES):
        path = (directory / CONFIG_FILE).resolve()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        read = f"{settings.config} is read instead" if settings.config else "no settings file is read"
        yield Unread(f"{path} is not read: {read}", f"name it with --config, or move it to {settings.data}")


def idle_settings(settings: Settings) -> Iterator[Unread]:
    """What was set and has no effect, as something else is not set."""
    mailbox, directory = settings.dmarc.reports_mailbox, settings.dmarc.reports_directory
    if mailbox != ImapMailbox() and not mailbox.is_set:
        yield Unread("[reputation.reports_mailbox] has no `host`: no mailbox is read", "set the `host` of the mailbox")
    if directory != ReportDirectory() and directory.path is None:
        yield Unread(
            "[reputation.reports_directory] has no `path`: no directory is read", "set the `path` of the directory"
        )
    mail = NotifySettings().mail
    if settings.notify.mail != mail and not settings.notify.mail.host:
        yield Unread("[reputation.mail] has no `host`: no mail is sent", "set the `host` of mail")


def unread_by(server: RunningServer, settings: Settings) -> Iterator[Unread]:
    """What a server that runs did not read: it read its settings when it started, in an environment of its own."""
    here = fingerprints(settings)
    other = [
        name for name in sorted(here.keys() | server.settings.keys()) if here.get(name) != server.settings.get(name)
    ]
    if server.settings and other:
        finding = f"the server runs with other settings than these: {', '.join(other)}"
        advice = (
            f"restart it if {CONFIG_FILE} was changed; else give this command what the service has in its environment"
        )
        yield Unread(finding, advice)
