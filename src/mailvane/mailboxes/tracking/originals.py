"""Finds the mails that replies answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.tracking.links import MailName
from mailvane.mailboxes.tracking.model import Waiting
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import MailKey, MailKind
from mailvane.maillog.queries import Delivery, LogQuestion, Match, Pattern, Term

Found = dict[MailName, tuple[MailKey, str]]

_AT_ONCE = 100  # replies of one question
_REACH_MS = 370 * DAY_MS  # ours: how old a mail may be that is answered
_MOST_DELIVERIES = 20_000


def originals(maillog: MailLog, workspace: int, relays: tuple[int, ...], replies: Sequence[Waiting]) -> Found:
    """Of each reply, by its name, the mail that it answers and whom that went to; those of none are left out.

    The last mail of the thread before the reply that somebody else sent. Raises StoreUnavailable.
    """
    found: dict[MailName, tuple[MailKey, str]] = {}
    asked = sorted(replies, key=lambda one: one.reaction.at)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        found |= _asked(maillog, _question(workspace, relays, some), some)
    return found


def _question(workspace: int, relays: tuple[int, ...], replies: Sequence[Waiting]) -> LogQuestion:
    named = _patterns(each for one in replies for each in one.reaction.thread)
    return LogQuestion(
        workspace=workspace, relays=relays, kinds=(MailKind.MAIL,), terms=(Term("msgid", named),),
        since=max(0, replies[0].reaction.at - _REACH_MS), until=replies[-1].reaction.at,
        limit=_MOST_DELIVERIES, ascending=True,
    )  # fmt: skip


def _patterns(texts: Iterable[str]) -> tuple[Pattern, ...]:
    return tuple(Pattern(text, Match.WHOLE) for text in dict.fromkeys(texts))


def _asked(maillog: MailLog, question: LogQuestion, replies: Sequence[Waiting]) -> Found:
    by_id: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in maillog.search(question).deliveries:
        by_id[delivery.message_id].append(delivery)
    found: dict[MailName, tuple[MailKey, str]] = {}
    for one in replies:
        chosen = _answered(one, [delivery for each in one.reaction.thread for delivery in by_id.get(each, ())])
        if chosen is not None:
            key = MailKey(chosen.relay, chosen.accepted_at, chosen.number)
            found[one.reaction.mail] = key, chosen.recipient
    return found


def _answered(reply: Waiting, deliveries: Sequence[Delivery]) -> Delivery | None:
    """The last one before the reply that another address sent; of its recipients the one that answers, if it is one.

    Who goes on with a colleague's thread, to whom its mails never went, answers none of them.
    """
    author = reply.reaction.mail.recipient.lower()
    addressed = {(one.relay, one.accepted_at, one.number) for one in deliveries if one.recipient.lower() == author}
    others = []
    for one in deliveries:
        sender = (one.header_from or one.sender).lower()
        colleague = domain_of(sender) == domain_of(author) and (one.relay, one.accepted_at, one.number) not in addressed
        if sender != author and not colleague and one.accepted_at <= reply.reaction.at:
            others.append(one)
    return max(others, key=lambda one: (one.accepted_at, one.recipient.lower() == author), default=None)
