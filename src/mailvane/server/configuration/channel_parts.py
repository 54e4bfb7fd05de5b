"""The part of the file that says where alerts tell, compared with the ledger. Blocking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.notify.channels import ChannelDraft, Channels, ChannelTerms
from mailvane.notify.model import Channel, NamedChannel
from mailvane.server.configuration.changes import Action, Change, Step, differing
from mailvane.server.configuration.document import Channels as ChannelsPart
from mailvane.server.configuration.document import NamedChannelPart

_SECRET = "(secret)"  # noqa: S105 - what is shown in its place


def channels_of(channels: Channels, workspace: int, secrets: bool) -> ChannelsPart:
    found: dict[str, dict[str, NamedChannelPart]] = {kind.value: {} for kind in Channel}
    for each in channels.all(workspace):
        found[each.kind][each.name] = _part(each, secrets)
    return ChannelsPart(**found)


def by_kind(part: ChannelsPart) -> Mapping[Channel, Mapping[str, NamedChannelPart]]:
    return {Channel(kind): getattr(part, kind) for kind in part.__struct_fields__}


def channel_steps(channels: Channels, workspace: int, part: ChannelsPart, now: int) -> Iterator[Step]:
    """Raises InvalidInput."""
    known: dict[str, NamedChannel] = {}
    for each in channels.all(workspace):
        if each.name in known:
            raise InvalidInput(f"there are two channels that are called {each.name}: rename one first")
        known[each.name] = each
    wanted: set[str] = set()
    for kind, named in by_kind(part).items():
        for name, one in named.items():
            if name in wanted:
                raise InvalidInput(f"channels: {name} stands there twice")
            wanted.add(name)
            old = known.get(name)
            if old is not None and old.kind is not kind:
                raise InvalidInput(f"channels.{kind}.{name}: there is one of the kind {old.kind} with this name")
            yield from _step(channels, workspace, old, _draft(kind, name, one, old), now)
    for name, old in known.items():
        if name not in wanted:
            gone = partial(channels.remove, workspace, old.id)
            yield Step(Change(action=Action.REMOVE, what=old.kind.value, name=name), gone)


def _step(
    channels: Channels, workspace: int, old: NamedChannel | None, draft: ChannelDraft, now: int
) -> Iterator[Step]:
    try:
        new = channels.checked(workspace, draft, now)
    except InvalidFields as error:
        raise InvalidInput(f"channels.{draft.kind}.{draft.name}: {error.message}") from None
    fields = differing({} if old is None else _plain(old), _plain(new))
    if old is None:
        yield Step(
            Change(action=Action.ADD, what=draft.kind.value, name=new.name, fields=_masked(draft.kind, fields)),
            partial(channels.add, workspace, draft, now),
        )
    elif fields:
        yield Step(
            Change(action=Action.CHANGE, what=draft.kind.value, name=new.name, fields=_masked(draft.kind, fields)),
            partial(channels.put, workspace, old, draft),
        )


def _draft(kind: Channel, name: str, part: NamedChannelPart, old: NamedChannel | None) -> ChannelDraft:
    target = part.url or (old.target if old is not None else None)
    if target is None:
        raise InvalidInput(f"channels.{kind}.{name}: a new one needs its url")
    terms = ChannelTerms(**{field: getattr(part, field) for field in ChannelTerms.__struct_fields__})
    return ChannelDraft(kind=kind, name=name, target=target, terms=terms)


def _part(channel: NamedChannel, secrets: bool) -> NamedChannelPart:
    terms = {field: getattr(channel, field) for field in ChannelTerms.__struct_fields__}
    return NamedChannelPart(url=channel.target if secrets or channel.kind is Channel.EMAIL else None, **terms)


def _plain(channel: NamedChannel) -> dict[str, Any]:
    terms = {field: msgspec.to_builtins(getattr(channel, field)) for field in ChannelTerms.__struct_fields__}
    return {"url": channel.target, **terms}


def _masked(kind: Channel, fields: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    told = {name: pair for name, pair in fields.items() if any(each for each in pair)}
    if "url" in told and kind is not Channel.EMAIL:
        told["url"] = (told["url"][0] and _SECRET, _SECRET)
    return told
