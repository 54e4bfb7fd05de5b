"""Export, comparison and application of a configuration file for one workspace. Blocking."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from mailvane.core.errors import NotPossible, Permanent
from mailvane.reputation.heartbeats import NewHeartbeat
from mailvane.server.configuration import parts
from mailvane.server.configuration.changes import Action, Change, Plan, Step
from mailvane.server.configuration.channel_parts import channel_steps, channels_of
from mailvane.server.configuration.document import Document, read, written
from mailvane.server.configuration.heartbeat_parts import heartbeat_steps, heartbeats_of
from mailvane.server.configuration.parts import Ground, Rooms


class Configuration:
    """Safe to share between threads. Nothing is kept between two calls."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def _ground(self, workspace: int, by: str, now: int) -> Ground:
        return Ground(**vars(self._rooms), workspace=workspace, by=by, now=now)

    def export(self, workspace: int, now: int, secrets: bool = False) -> str:
        """The workspace as a file; limits of mailboxes, logins and domains are those of the installation."""
        ground = self._ground(workspace, "", now)
        document = Document(
            channels=channels_of(ground.channels, workspace, secrets),
            domains=parts.domains_of(ground),
            limits=parts.limits_of(ground),
            watched=parts.watched_of(ground, None),
            profiles=parts.profiles_of(ground),
            alerts=parts.alerts_of(ground),
            heartbeats=heartbeats_of(ground.heartbeats, workspace, secrets),
        )
        return written(document)

    def diff(self, workspace: int, text: str | bytes, now: int) -> Plan:
        """What is not as the file says. Changes nothing. Raises InvalidInput."""
        steps = list(_steps(self._ground(workspace, "", now), read(text)))
        made = [step.change for step in steps if step.change.action is not Action.REMOVE]
        return Plan(changes=tuple(made), unlisted=tuple(_removals(steps)))

    def apply(self, workspace: int, text: str | bytes, delete: bool, by: str, now: int) -> Plan:
        """Make it as the file says; what the file does not list stays unless `delete`. Twice is once.

        Raises InvalidInput before anything is changed; NotPossible when a change failed, with how many were made.
        """
        steps = list(_steps(self._ground(workspace, by, now), read(text)))
        removals = [step for step in reversed(steps) if step.change.action is Action.REMOVE]
        todo = [step for step in steps if step.change.action is not Action.REMOVE] + (removals if delete else [])
        addresses: dict[str, str] = {}
        for number, step in enumerate(todo):
            try:
                made = step.make()
            except Permanent as error:
                done = f"{number} of {len(todo)} changes were made before"
                raise NotPossible(f"{step.change.text}: {error.message} ({done}; apply it again when mended)") from None
            if isinstance(made, NewHeartbeat):
                addresses[made.heartbeat.name] = made.path
        unlisted = () if delete else tuple(_removals(steps))
        return Plan(changes=tuple(step.change for step in todo), unlisted=unlisted, addresses=addresses)


def _removals(steps: list[Step]) -> Iterator[Change]:
    return (step.change for step in steps if step.change.action is Action.REMOVE)


def _steps(ground: Ground, document: Document) -> Iterator[Step]:
    """In the order in which one thing needs another; removals go the other way round."""
    if document.channels is not UNSET:
        yield from channel_steps(ground.channels, ground.workspace, document.channels, ground.now)
    if document.domains is not UNSET:
        yield from parts.domain_steps(ground, document.domains)
    if document.limits is not UNSET:
        yield from parts.limit_steps(ground, document.limits)
    yield from parts.watched_steps(ground, document)
    if document.alerts is not UNSET:
        yield from parts.alert_steps(ground, document, document.alerts)
    if document.heartbeats is not UNSET:
        yield from heartbeat_steps(ground.heartbeats, ground.workspace, document.heartbeats, ground.now)
