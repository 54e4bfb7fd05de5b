"""Makes mail events of what recipients did: finds the mail in the log, judges clicks together, and tells the journal.

A click is told a while after it came: only then it is known whether every link of the mail was followed at once. A mail
that the log does not have yet is looked for again, later and later, and given up at last.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from mailvane.core.errors import NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.core.periodic import every
from mailvane.core.tenants.service import Tenancy
from mailvane.mailboxes.store.tracking import TrackingStore
from mailvane.mailboxes.tracking.links import MailName
from mailvane.mailboxes.tracking.machines import EVERY_LINK, Click, Machines
from mailvane.mailboxes.tracking.model import Reaction, ReactionKind, Waiting
from mailvane.mailboxes.tracking.originals import originals
from mailvane.maillog.interface import OpenMailLog
from mailvane.maillog.model import EventBatch, EventType, JournalEntry, MailEvent, MailKey, MailKind
from mailvane.maillog.queries import Delivery, LogQuestion, Match, Pattern, Term

log = logging.getLogger(__name__)

SOURCE = "tracking"
_EVERY_SECONDS = 1.0
_AT_ONCE = 2_000
_AT_ONCE_AT_THE_END = 20_000  # each round makes a batch, which is dear to store
_IDS_AT_ONCE = 200  # that one question names
# ours: how long before and after a link was made its mail may be accepted.
_BEFORE_MS, _AFTER_MS = DAY_MS, 14 * DAY_MS
_FIRST_RETRY_MS, _LONGEST_RETRY_MS = 1_000, 6 * HOUR_MS
_REPLY_TRIES = 17  # ours: a day and a half, as the log that has the mail may be read later
_PATIENCE_MS = 3 * DAY_MS  # ours: what the log does not know by then it will not know

_TYPES = {
    ReactionKind.OPENED: EventType.OPENED,
    ReactionKind.CLICKED: EventType.CLICKED,
    ReactionKind.UNSUBSCRIBED: EventType.UNSUBSCRIBED,
    ReactionKind.REPLIED: EventType.REPLIED,
}
Record = Callable[[JournalEntry, int], object]


class Settling:
    """Several nodes may settle the same reactions: the journal knows each by its id."""

    def __init__(
        self,
        store: TrackingStore,
        maillog: Callable[[], OpenMailLog],
        tenancy: Tenancy,
        record: Record,
        machines: Machines,
    ) -> None:
        self._store = store
        self._maillog = maillog
        self._tenancy = tenancy
        self._record = record
        self._machines = machines

    async def run(self, clock: Callable[[], int]) -> None:
        """Until it is cancelled."""
        await every(_EVERY_SECONDS, "settling opens and clicks", lambda: asyncio.to_thread(self.round, clock()))

    def finish(self, now: int) -> None:
        """Settle all that is due, as a command does which read a log while no server runs. Raises StoreUnavailable."""
        while self.round(now, _AT_ONCE_AT_THE_END):
            pass

    def round(self, now: int, most: int = _AT_ONCE) -> bool:
        """Settle so many that are due; whether there may be more. Blocking. Raises StoreUnavailable."""
        due = self._store.due(now, most)
        for workspace, waiting in _by_workspace(self._judged(due)).items():
            self._settle(workspace, waiting, now)
        return len(due) == most

    def _judged(self, due: Sequence[Waiting]) -> list[Waiting]:
        """With all clicks of the mails of which one is due, each with what they say together."""
        clicked = {one.reaction.mail_digest for one in due if one.reaction.kind is ReactionKind.CLICKED}
        found = [one for one in due if one.reaction.kind is not ReactionKind.CLICKED]
        mails: dict[bytes, list[Waiting]] = defaultdict(list)
        for one in self._store.clicks_of(sorted(clicked)):
            mails[one.reaction.mail_digest].append(one)
        for together in mails.values():
            clicks = (Click(one.reaction.at, one.reaction.place, one.reaction.links) for one in together)
            by_scanner = self._machines.followed_all(clicks)
            found += [_of_scanner(one) if by_scanner and not one.reaction.machine else one for one in together]
        return found

    def _settle(self, workspace: int, waiting: Sequence[Waiting], now: int) -> None:
        try:
            retention = self._tenancy.workspace_of(workspace).retention_days
        except NotFound:
            self._store.settle([one.reaction.digest for one in waiting])
            return
        keys = self._mails(workspace, [one.reaction for one in waiting if not one.reaction.thread])
        keys |= self._originals(workspace, [one for one in waiting if one.reaction.thread])
        found = [one.reaction for one in waiting if one.reaction.mail in keys]
        if found:
            events = [_event(reaction, *keys[reaction.mail]) for reaction in found]
            ids = tuple(f"{SOURCE}:{reaction.digest.hex()}" for reaction in found)
            token = blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()
            batch = EventBatch(f"{SOURCE}:{workspace}:{now}:{token}", workspace, retention, events)
            self._record(JournalEntry(batch=batch, event_ids=ids), now)
        missing = [one for one in waiting if one.reaction.mail not in keys]
        given_up = [one.reaction for one in missing if _is_hopeless(one, now)]
        lost = sum(not reaction.thread for reaction in given_up)
        if lost:
            log.warning("workspace %d: %d opens and clicks are of mails that no log knows", workspace, lost)
        self._store.settle([reaction.digest for reaction in (*found, *given_up)])
        later = [one for one in missing if not _is_hopeless(one, now)]
        self._store.put_off([(one.reaction, now + _pause(one.tries)) for one in later])

    def _originals(self, workspace: int, replies: Sequence[Waiting]) -> dict[MailName, tuple[MailKey, str]]:
        relays = tuple(relay.id for relay in self._tenancy.relays(workspace)) if replies else ()
        return originals(self._maillog(), workspace, relays, replies) if relays else {}

    def _mails(self, workspace: int, reactions: Iterable[Reaction]) -> dict[MailName, tuple[MailKey, str]]:
        """Of each name the identity and the recipient, as the log has them; those it does not have are left out."""
        found: dict[MailName, tuple[MailKey, str]] = {}
        named: dict[MailName, Reaction] = {}
        for reaction in reactions:
            name = reaction.mail
            if name.message_id:
                named[name] = reaction
            else:
                found[name] = MailKey(name.relay, name.accepted_at, name.number), name.recipient
        ordered = sorted(named.items(), key=lambda item: item[1].made_at)
        for start in range(0, len(ordered), _IDS_AT_ONCE):
            found |= self._looked_up(workspace, ordered[start : start + _IDS_AT_ONCE])
        return found

    def _looked_up(
        self, workspace: int, named: Sequence[tuple[MailName, Reaction]]
    ) -> Mapping[MailName, tuple[MailKey, str]]:
        relays = tuple(relay.id for relay in self._tenancy.relays(workspace))
        if not relays:
            return {}
        patterns = tuple(Pattern(each, Match.WHOLE) for each in dict.fromkeys(name.message_id for name, _ in named))
        question = LogQuestion(
            workspace=workspace, relays=relays, kinds=tuple(MailKind), terms=(Term("msgid", patterns),),
            since=max(0, named[0][1].made_at - _BEFORE_MS), until=named[-1][1].made_at + _AFTER_MS,
            limit=100 * _IDS_AT_ONCE, ascending=True,
        )  # fmt: skip
        by_id: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in self._maillog().search(question).deliveries:
            by_id[delivery.message_id].append(delivery)
        chosen = {name: _chosen(name.recipient, by_id.get(name.message_id, ())) for name, _ in named}
        return {
            name: (MailKey(one.relay, one.accepted_at, one.number), one.recipient)
            for name, one in chosen.items()
            if one is not None
        }


def _chosen(recipient: str, deliveries: Sequence[Delivery]) -> Delivery | None:
    """The last one to that recipient: what passes several mail servers here is delivered by the last."""
    wanted = recipient.lower()
    return next(
        (one for one in reversed(deliveries) if wanted in {one.recipient.lower(), one.original_recipient.lower()}), None
    )


def _event(reaction: Reaction, key: MailKey, recipient: str) -> MailEvent:
    by = reaction.machine or "a person, as far as known"
    said = [str(reaction.kind), f"by {by}", f"from [{reaction.address}]", reaction.target, reaction.agent]
    told = " ".join(each for each in said if each).replace("\t", " ").replace("\n", " ")
    return MailEvent(
        relay=key.relay, accepted_at=key.accepted_at, number=key.number, type=_TYPES[reaction.kind], at=reaction.at,
        recipient=recipient, automatic=bool(reaction.machine), source=SOURCE, raw=f"0\t{told}",
    )  # fmt: skip


def _of_scanner(one: Waiting) -> Waiting:
    return msgspec.structs.replace(one, reaction=msgspec.structs.replace(one.reaction, machine=EVERY_LINK))


def _is_hopeless(one: Waiting, now: int) -> bool:
    """Whether its mail is not looked for any more. A reply may be one to a mail that never passed here."""
    return one.tries >= _REPLY_TRIES if one.reaction.thread else now - one.reaction.at > _PATIENCE_MS


def _pause(tries: int) -> int:
    return int(min(_LONGEST_RETRY_MS, _FIRST_RETRY_MS * 2 ** min(tries, 30)))


def _by_workspace(waiting: Iterable[Waiting]) -> dict[int, list[Waiting]]:
    found: dict[int, list[Waiting]] = defaultdict(list)
    for one in waiting:
        found[one.reaction.workspace].append(one)
    return found


def due_times(reactions: Sequence[Reaction], click_wait_ms: int) -> list[tuple[Reaction, int]]:
    """When each is to be told: a click, when it is known what else was followed."""
    return [
        (each, each.at + (click_wait_ms if each.kind is ReactionKind.CLICKED and each.links > 1 else 0))
        for each in reactions
    ]
