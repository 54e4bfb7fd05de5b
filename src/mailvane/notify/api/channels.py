"""Channels that have names, in Mailvane's own interface. Their addresses go in, and never come out. Blocking."""

from __future__ import annotations

import msgspec

from mailvane.notify.channels import ChannelDraft, ChannelTerms
from mailvane.notify.model import Channel, NamedChannel, Severity
from mailvane.notify.services import NotifyServices
from mailvane.web.endpoints import Asked
from mailvane.web.json_body import read_json


class ChannelBody(msgspec.Struct, frozen=True, kw_only=True):
    """A channel: `target` is an URL, or of mail an address. Quiet hours are times of the day, such as 22:00."""

    kind: Channel
    name: str
    target: str
    min_severity: Severity = Severity.INFO
    quiet_from: str = ""
    quiet_until: str = ""
    quiet_zone: str = ""


class ChannelChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise; the rest stays."""

    name: str | None = None
    target: str | None = None
    min_severity: Severity | None = None
    quiet_from: str | None = None
    quiet_until: str | None = None
    quiet_zone: str | None = None


class ChannelObject(msgspec.Struct, frozen=True, kw_only=True):
    """`target` without what is secret."""

    id: str
    kind: Channel
    name: str
    target: str
    min_severity: Severity
    quiet_from: str
    quiet_until: str
    quiet_zone: str
    created_at: int


def channels(services: NotifyServices, asked: Asked) -> list[ChannelObject]:
    """By name."""
    return [shown(each) for each in services.named.all(asked.workspace)]


def add_channel(services: NotifyServices, asked: Asked) -> ChannelObject:
    given = read_json(ChannelBody, asked.body)
    terms = ChannelTerms(**{name: getattr(given, name) for name in ChannelTerms.__struct_fields__})
    draft = ChannelDraft(kind=given.kind, name=given.name, target=given.target, terms=terms)
    return shown(services.named.add(asked.workspace, draft, asked.now))


def change_channel(services: NotifyServices, asked: Asked) -> ChannelObject:
    known = services.named.named(asked.workspace, asked.path["channel_id"])
    return shown(services.named.put(asked.workspace, known, changed(known, read_json(ChannelChanges, asked.body))))


def remove_channel(services: NotifyServices, asked: Asked) -> None:
    services.named.remove(asked.workspace, asked.path["channel_id"])


def changed(known: NamedChannel, changes: ChannelChanges) -> ChannelDraft:
    """What a channel is to be."""
    new = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not None}
    terms = {name: new.get(name, getattr(known, name)) for name in ChannelTerms.__struct_fields__}
    return ChannelDraft(
        kind=known.kind, name=new.get("name", known.name), target=new.get("target", known.target),
        terms=ChannelTerms(**terms),
    )  # fmt: skip


def shown(channel: NamedChannel) -> ChannelObject:
    told = {name: getattr(channel, name) for name in ChannelObject.__struct_fields__ if name != "target"}
    return ChannelObject(**told, target=channel.shown_target)
