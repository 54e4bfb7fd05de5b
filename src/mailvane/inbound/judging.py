"""What becomes of a mail for one recipient: from contact, score and filters to an outcome. Pure.

The order is that of the vendor (facts: "order of checks"): blocked contact, threshold for rejection, threshold for
quarantine, filters, quarantine, delivery with the marks of muted and prioritized contacts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mailvane.inbound.authentication import is_proven, is_refuted
from mailvane.inbound.filtering import FilteredMail, deciding
from mailvane.inbound.model import ContactState, Filter, FilterAction, MessageStatus


class Thresholds(msgspec.Struct, frozen=True):
    """Scores from which mail is held, and refused."""

    quarantine: float
    reject: float


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a mail and one of its recipients."""

    mail: FilteredMail
    state: ContactState
    authentication: Mapping[str, str]
    thresholds: Thresholds
    address: str | None  # id
    filters: Sequence[Filter]
    whitelist_needs_pass: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is PENDING where the mail goes on to the next hop."""

    status: MessageStatus
    reason: str = ""
    filter: str | None = None
    marks: str = ""


def judge(known: Circumstances) -> Outcome:
    """By the checks in their order."""
    if known.state is ContactState.BLOCKED:
        return Outcome(status=MessageStatus.DENIED, reason="the contact is blocked")
    score = known.mail.score.value
    trusted = is_trusted(known)
    if score is not None and not trusted and score >= known.thresholds.reject:
        told = f"spam score {score:g} is at or above {known.thresholds.reject:g}"
        return Outcome(status=MessageStatus.REJECTED, reason=told)
    held = score is not None and not trusted and score >= known.thresholds.quarantine
    rule = deciding(known.filters, known.address, known.mail)
    if rule is not None and rule.action is FilterAction.DENY:
        return Outcome(status=MessageStatus.DENIED, reason=f"filter {rule.name!r}", filter=rule.id)
    if held and rule is None:
        told = f"spam score {score:g} is at or above {known.thresholds.quarantine:g}"
        return Outcome(status=MessageStatus.QUARANTINED, reason=told)
    reason = "" if rule is None else f"filter {rule.name!r}"
    return Outcome(
        status=MessageStatus.PENDING, reason=reason, filter=None if rule is None else rule.id, marks=_marks(known.state)
    )


def released(known: Circumstances) -> Outcome:
    """Likewise, of a mail that somebody lets out of quarantine: scores have been looked at, filters run again."""
    rule = deciding(known.filters, known.address, known.mail)
    if rule is not None and rule.action is FilterAction.DENY:
        return Outcome(status=MessageStatus.DENIED, reason=f"filter {rule.name!r}", filter=rule.id)
    return Outcome(status=MessageStatus.PENDING, reason="accepted from quarantine", marks=_marks(known.state))


def is_trusted(known: Circumstances) -> bool:
    """Whether a whitelisted contact skips the checks. Anybody can write its address into From."""
    if known.state is not ContactState.WHITELISTED:
        return False
    if known.whitelist_needs_pass:
        return is_proven(known.authentication)
    return not is_refuted(known.authentication)


def _marks(state: ContactState) -> str:
    return state.value if state in (ContactState.MUTED, ContactState.PRIORITIZED) else ""
