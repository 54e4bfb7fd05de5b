"""Channels that have names: what a user may say of them, and the terms that notifications to them keep to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidFields, InvalidInput, NotAllowed, NotFound
from mailvane.core.identifiers import new_id
from mailvane.core.mailbox import canonical_address
from mailvane.notify.apprise_channel import check_apprise_url
from mailvane.notify.model import Channel, NamedChannel, Notification, Severity
from mailvane.notify.quiet_hours import read_quiet_hours
from mailvane.notify.store.channels import ChannelStore

LONGEST_NAME = 200
LONGEST_URL = 2000
_Time = Annotated[str, Meta(max_length=5)]


class ChannelTerms(msgspec.Struct, frozen=True, kw_only=True):
    """When a channel is told, and of what."""

    min_severity: Severity = Severity.INFO
    quiet_from: _Time = ""
    quiet_until: _Time = ""
    quiet_zone: Annotated[str, Meta(max_length=64)] = ""


class ChannelDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as a user wrote it."""

    kind: Channel
    name: str
    target: str  # URL, or address of mail
    terms: ChannelTerms = ChannelTerms()


class Channels:
    """Safe to share between threads."""

    def __init__(self, store: ChannelStore, check_host: Callable[[str], None] = lambda _host: None) -> None:
        """`check_host` raises NotAllowed for a host that must not be reached."""
        self._store = store
        self._check_host = check_host

    def all(self, workspace: int) -> list[NamedChannel]:
        """By name."""
        return self._store.channels(workspace)

    def named(self, workspace: int, name: str) -> NamedChannel:
        """By id or name. Raises NotFound, and InvalidInput where several have that name."""
        found = [each for each in self.all(workspace) if name in (each.id, each.name)]
        if not found:
            raise NotFound(f"there is no channel {name}")
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} channels are called {name}: name one by its id")
        return found[0]

    def add(self, workspace: int, draft: ChannelDraft, now: int) -> NamedChannel:
        """Raises InvalidFields."""
        channel = self.checked(workspace, draft, now)
        if any(each.name == channel.name for each in self.all(workspace)):
            raise InvalidFields(("name", "there is a channel of that name already"))
        self._store.add_channel(channel)
        return channel

    def put(self, workspace: int, known: NamedChannel, draft: ChannelDraft) -> NamedChannel:
        """Change one; its kind stays. Raises InvalidFields, NotFound."""
        checked = self.checked(workspace, msgspec.structs.replace(draft, kind=known.kind), known.created_at)
        if any(each.name == checked.name and each.id != known.id for each in self.all(workspace)):
            raise InvalidFields(("name", "there is a channel of that name already"))
        changed = msgspec.structs.replace(checked, id=known.id)
        self._store.change_channel(changed)
        return changed

    def remove(self, workspace: int, channel_id: str) -> None:
        """Raises NotFound."""
        self._store.remove_channel(workspace, channel_id)

    def checked(self, workspace: int, draft: ChannelDraft, now: int) -> NamedChannel:
        """A new one. Raises InvalidFields, with all that is wrong with it."""
        name, target = draft.name.strip(), draft.target.strip()
        wrong: list[tuple[str, str]] = []
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            wrong.append(("name", f"1 to {LONGEST_NAME} characters are required"))
        try:
            target = self._checked_target(draft.kind, target)
        except (InvalidInput, NotAllowed) as error:
            wrong.append(("target", error.message))
        wrong += _about(draft.terms)
        if wrong:
            raise InvalidFields(*wrong)
        terms = msgspec.structs.asdict(draft.terms)
        return NamedChannel(
            id=new_id(), workspace=workspace, kind=draft.kind, name=name, target=target, created_at=now, **terms
        )

    def _checked_target(self, kind: Channel, target: str) -> str:
        """Raises InvalidInput, NotAllowed."""
        if len(target) > LONGEST_URL or not target.isprintable():
            raise InvalidInput(f"expected up to {LONGEST_URL} printable characters")
        if kind is Channel.EMAIL:
            return canonical_address(target)
        if kind is Channel.APPRISE:
            check_apprise_url(target, self._check_host)
            return target
        if not is_web_address(target):
            raise InvalidInput("expected an address that begins with https:// or http://")
        self._check_host(urlsplit(target).hostname or "")
        return target


def is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    visible = text.isprintable() and " " not in text and len(text) <= LONGEST_URL
    return visible and parts.scheme in {"https", "http"} and bool(parts.hostname)


def wants(channel: NamedChannel | None, severity: Severity) -> bool:
    """Whether something of that severity is grave enough for it; a place without terms is told everything."""
    return channel is None or severity.rank >= channel.min_severity.rank


def quiet_until(channel: NamedChannel | None, zone: ZoneInfo, now: int) -> int:
    """When its quiet hours end, if it is within them; 0 if not. `zone`: of one that states none."""
    if channel is None or not channel.quiet_from:
        return 0
    try:
        stated = ZoneInfo(channel.quiet_zone) if channel.quiet_zone else zone
        hours = read_quiet_hours(channel.quiet_from, channel.quiet_until, stated)
    except (InvalidInput, ZoneInfoNotFoundError, ValueError):
        return 0  # of an older or newer version: better told at night than never
    return hours.until(now) if hours else 0


class Terms:
    """What the worker asks of a notification before it is sent. Safe to share between threads."""

    def __init__(self, store: ChannelStore, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone

    def quiet_until(self, notification: Notification, now: int) -> int:
        """When the quiet hours of its channel end; 0: it may be sent."""
        if notification.at_once:
            return 0
        channel = self._store.channel_of(notification.workspace, notification.channel, notification.target)
        return quiet_until(channel, self._zone, now)


def by_target(channels: Collection[NamedChannel], kind: Channel, target: str) -> NamedChannel | None:
    """The channel whose terms hold for this target, which an alert names by itself."""
    return next((each for each in channels if each.kind is kind and target in (each.id, each.target)), None)


def _about(terms: ChannelTerms) -> list[tuple[str, str]]:
    wrong = []
    try:
        zone = ZoneInfo(terms.quiet_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong.append(("quiet_zone", "expected a time zone such as Europe/Berlin"))
        zone = ZoneInfo("UTC")
    if bool(terms.quiet_from) is not bool(terms.quiet_until):
        wrong.append(("quiet_from", "quiet hours have a beginning and an end"))
        return wrong
    try:
        read_quiet_hours(terms.quiet_from, terms.quiet_until, zone)
    except InvalidInput as error:
        wrong.append(("quiet_from", error.message))
    return wrong
