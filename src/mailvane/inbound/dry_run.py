"""What a filter would have done to the messages of the last days. Nothing is changed.

The ledger has of each message what conditions on sender, subject, score and size look at. Header fields and bodies are
looked at where the content is still kept; where it is not, a condition on them is neither true nor false, and a filter
whose outcome depends on it is not judged (three-valued logic, as SQL knows it).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from mailvane.core.errors import StoreDamaged
from mailvane.inbound.filtering import FilteredMail, holds, is_for, kept_mail
from mailvane.inbound.model import (
    Condition,
    Contact,
    ContactState,
    Filter,
    FilterAction,
    Message,
    MessageStatus,
    RuleGroup,
)
from mailvane.inbound.services import InboundServices

DAYS = 30
_AT_ONCE = 500
_MOST_EXAMPLES = 10
_IN_CONTENT = frozenset({"header", "body"})  # components that only the content tells


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `messages` is the sum of `decided`, `earlier`, `unmatched` and `unknown`."""

    filter: str  # name
    action: FilterAction
    since: int  # ms
    messages: int  # that were looked at
    decided: int  # for which it would have been the filter that decides
    was: dict[str, int]  # what became of those, by status
    changed: int  # of those, how many would have fared otherwise
    earlier: int  # that something before it decides: a blocked contact, the rejection, another filter, another address
    unmatched: int
    unknown: int  # that it cannot be told of, because their content is not kept
    examples: tuple[Message, ...]  # the newest that would have fared otherwise


def dry_run(services: InboundServices, rule: Filter, since: int) -> DryRun:
    """At the filter's place among the others of its workspace. Blocking; goes through every message since then."""
    rules = _placed(rule, services.stores.filters.filters(rule.workspace))
    reads_content = any(condition.component in _IN_CONTENT for one in rules for condition in _conditions(one))
    counts: Counter[str] = Counter()
    was: Counter[str] = Counter()
    examples: list[Message] = []
    for messages in services.stores.pages.walk(rule.workspace, since, _AT_ONCE):
        contacts = services.stores.contacts.by_id(rule.workspace, sorted({one.contact for one in messages}))
        for message in messages:
            content = _content(services.content, message) if reads_content else None
            what = _fate(rules, message, content, contacts.get(message.contact))
            counts[what] += 1
            if what == "decided":
                was[message.status.value] += 1
                if _is_changed(message.status, rule.action):
                    counts["changed"] += 1
                    examples = [*examples[-_MOST_EXAMPLES + 1 :], message]
    return DryRun(
        filter=rule.name, action=rule.action, since=since,
        messages=sum(counts[what] for what in ("decided", "earlier", "unmatched", "unknown")),
        decided=counts["decided"], was=dict(was), changed=counts["changed"], earlier=counts["earlier"],
        unmatched=counts["unmatched"], unknown=counts["unknown"], examples=tuple(reversed(examples)),
    )  # fmt: skip


def told(rule: Filter, mail: FilteredMail, is_whole: bool) -> bool | None:
    """Whether a filter matches; None: it depends on what is not kept."""
    return (
        _all(_group(group, mail, is_whole) for group in rule.groups if group.conditions) if _conditions(rule) else False
    )


def _placed(rule: Filter, known: Sequence[Filter]) -> list[Filter]:
    """Those that are looked at before it, and then itself."""
    others = [one for one in known if one.id != rule.id]
    place = rule.position - 1 if rule.position > 0 else len(others)
    return [*(one for one in others[:place] if one.active), msgspec.structs.replace(rule, active=True)]


def _fate(rules: Sequence[Filter], message: Message, content: bytes | None, contact: Contact | None) -> str:
    """The order is that of `judging`."""
    if message.status is MessageStatus.REJECTED or message.address is None:
        return "earlier"  # refused by its score; or of an unlisted address, which no filter is for
    if contact is not None and contact.state is ContactState.BLOCKED:
        return "earlier"
    mail, last = kept_mail(message, content, contact), rules[-1]
    if not is_for(last, message.address):
        return "earlier"
    outcome = told(last, mail, content is not None)
    if outcome is False:
        return "unmatched"
    before = [told(one, mail, content is not None) for one in rules[:-1] if is_for(one, message.address)]
    if True in before:
        return "earlier"
    return "unknown" if outcome is None or None in before else "decided"


def _is_changed(status: MessageStatus, action: FilterAction) -> bool:
    """Whether a message of this status would have fared otherwise."""
    if action is FilterAction.DENY:
        return status is not MessageStatus.DENIED
    return status in (MessageStatus.DENIED, MessageStatus.QUARANTINED)


def _content(content: Callable[[str], bytes | None], message: Message) -> bytes | None:
    if message.content is None:
        return None
    try:
        return content(message.content)
    except StoreDamaged:
        return None


def _conditions(rule: Filter) -> list[Condition]:
    return [condition for group in rule.groups for condition in group.conditions]


def _group(group: RuleGroup, mail: FilteredMail, is_whole: bool) -> bool | None:
    found = (holds(one, mail) if is_whole or one.component not in _IN_CONTENT else None for one in group.conditions)
    return _any(found) if group.match == "any" else _all(found)


def _all(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    return False if False in known else None if None in known else True


def _any(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    return True if True in known else None if None in known else False
