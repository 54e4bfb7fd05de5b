"""Lets quarantined mail of whitelisted contacts out, within a budget; and takes back what can be taken back.

Nothing is decided by estimates: what is in quarantine is listed, and each message is judged by its own contact. A
message that was delivered cannot be called back. Undoing therefore rejects what is still held, and holds back the
sender: no rule releases its mail again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from mailvane.core.errors import MailvaneError
from mailvane.core.moments import HOUR_MS
from mailvane.inbound.health.model import HeldMessage, Release, ReleaseState, Remedied
from mailvane.inbound.health.reporting import AskedTeam
from mailvane.inbound.health.settings import Remediation
from mailvane.inbound.health.store.releases import ReleaseStore

log = logging.getLogger(__name__)

MOST_HELD = 5000  # messages of a quarantine that are looked at
_LONGEST_DETAIL = 300


class Remediator:
    """By the rule of the settings."""

    def __init__(self, rule: Remediation, releases: ReleaseStore, clock: Callable[[], int]) -> None:
        self._rule = rule
        self._releases = releases
        self._clock = clock

    async def remedy(self, team: AskedTeam, *, applies: bool) -> Remedied:
        """Raises nothing that a server can cause."""
        try:
            async with team.open() as upstream:
                held = await upstream.held(MOST_HELD)
                if len(held) <= self._rule.backlog:
                    return Remedied(
                        team=team.name, held=len(held), told=f"no more than {self._rule.backlog} are in quarantine"
                    )
                wanted = await asyncio.to_thread(self._wanted, team.name, held)
                if not applies:
                    return Remedied(team=team.name, held=len(held), wanted=wanted)
                now = self._clock()
                releases = await asyncio.to_thread(
                    self._releases.reserve, team.name, wanted, now, now - HOUR_MS, self._rule.per_hour
                )
                outcomes = await upstream.accept([one.message for one in releases]) if releases else {}
        except MailvaneError as error:
            return Remedied(team=team.name, told=error.message)
        settled = tuple([_settled(one, outcomes.get(one.message)) for one in releases])
        for one in settled:
            await asyncio.to_thread(self._releases.settle, one)
            log.info("%s: release %s of %s from %s: %s", team.name, one.id, one.message, one.sender, one.state)
        told = f"the budget is {self._rule.per_hour} an hour" if len(settled) < len(wanted) else ""
        return Remedied(team=team.name, held=len(held), wanted=wanted, releases=settled, told=told)

    async def undo(self, team: AskedTeam, release: Release) -> Release:
        """Hold its sender back, and reject the message where it is still held. Raises StoreUnavailable."""
        try:
            async with team.open() as upstream:
                outcome = (await upstream.reject([release.message])).get(release.message)
        except MailvaneError as error:
            outcome = error.message
        told = "rejected" if outcome == "" else f"not rejected: {outcome or 'the server did not say'}"
        undone = msgspec.structs.replace(release, state=ReleaseState.UNDONE, detail=told[:_LONGEST_DETAIL])
        await asyncio.to_thread(self._releases.settle, undone)
        return undone

    def _wanted(self, team: str, held: Sequence[HeldMessage]) -> tuple[HeldMessage, ...]:
        held_back = self._releases.held_back(team)
        return tuple(one for one in held if one.state == "whitelisted" and one.sender not in held_back)


def _settled(release: Release, outcome: str | None) -> Release:
    if outcome is None:
        return msgspec.structs.replace(release, detail="the server did not say")
    if outcome:
        return msgspec.structs.replace(release, state=ReleaseState.FAILED, detail=outcome[:_LONGEST_DETAIL])
    return msgspec.structs.replace(release, state=ReleaseState.ACCEPTED)
