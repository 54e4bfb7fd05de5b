"""Finds the mails that replies answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.tracking.links import MailName
from mailvane.mailboxes.tracking.model import Waiting
from mailvane.maillog.interface import OpenMailLog
from mailvane.maillog.model import MailKey
from mailvane.maillog.named_mails import NamedMail, NamedQuestion

Found = dict[MailName, tuple[MailKey, str]]

_AT_ONCE = 20_000  # replies of one question
_REACH_MS = 370 * DAY_MS  # ours: how old a mail may be that is answered


def originals(maillog: OpenMailLog, workspace: int, relays: tuple[int, ...], replies: Sequence[Waiting]) -> Found:
    """Of each reply, by its name, the mail that it answers and whom that went to; those of none are left out.

    The last mail of the thread before the reply that somebody else sent. Raises StoreUnavailable.
    """
    found: Found = {}
    asked = sorted(replies, key=lambda one: one.reaction.at)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        by_id: dict[str, list[NamedMail]] = defaultdict(list)
        for mail in maillog.named(_question(workspace, relays, some)):
            by_id[mail.message_id].append(mail)
        for one in some:
            answered = _answered(one, [mail for each in one.reaction.thread for mail in by_id.get(each, ())])
            if answered is not None:
                found[one.reaction.mail] = answered
    return found


def _question(workspace: int, relays: tuple[int, ...], replies: Sequence[Waiting]) -> NamedQuestion:
    return NamedQuestion(
        workspace=workspace, relays=relays,
        message_ids=tuple(dict.fromkeys(each for one in replies for each in one.reaction.thread)),
        addresses=tuple(dict.fromkeys(_author(one) for one in replies)),
        since=max(0, replies[0].reaction.at - _REACH_MS), until=replies[-1].reaction.at,
    )  # fmt: skip


def _author(reply: Waiting) -> str:
    return reply.reaction.mail.recipient.lower()


def _answered(reply: Waiting, mails: Sequence[NamedMail]) -> tuple[MailKey, str] | None:
    """The last one before the reply that another address sent; of its recipients the one that answers, if it is one.

    Who goes on with a colleague's thread, to whom its mails never went, answers none of them.
    """
    author = _author(reply)
    others: list[tuple[NamedMail, str]] = []
    for mail in mails:
        sender = mail.author.lower()
        own = next((each for each in mail.recipients if each.lower() == author), "")
        is_colleague = domain_of(sender) == domain_of(author) and not own
        if sender != author and not is_colleague and mail.accepted_at <= reply.reaction.at:
            others.append((mail, own))
    if not others:
        return None
    mail, own = max(others, key=lambda one: (one[0].accepted_at, bool(one[1])))
    return MailKey(mail.relay, mail.accepted_at, mail.number), own or mail.first_recipient
