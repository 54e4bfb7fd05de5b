"""From a request of Postfix to the question that is decided, and from the verdict to the action that Postfix takes.

Which domain a mail counts for, which mail counts at all, and in which words a refusal goes out. Pure; whether a mail
may pass is decided in `outbound.admission`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from mailvane.core.names import canonical_name
from mailvane.outbound.model import LimitWindow, Reason, SendRequest, Verdict
from mailvane.outbound.policy.protocol import END_OF_MESSAGE, Request
from mailvane.outbound.suppression import listed_form

DUNNO = "DUNNO"  # no opinion: whatever else is configured decides
HEADER = "X-Mailvane-Quota"

_STAGES = frozenset({"MAIL", "RCPT", "DATA", "BDAT", END_OF_MESSAGE})  # at the others there is no mail yet
_LONGEST_DOMAIN = 253
_LATEST = 1 << 56  # microseconds since the epoch


class DomainSource(StrEnum):
    """What tells for which domain a mail counts."""

    SASL = "sasl"  # the domain of the user who logged in
    SENDER = "sender"  # the domain of the envelope's sender
    CLIENT = "client"  # the address of the machine, by a table


class Refusal(StrEnum):
    """How a mail is refused."""

    DEFER = "DEFER"  # come again later
    REJECT = "REJECT"  # do not


class Told(NamedTuple):
    """What Postfix and whoever sends are told of a reason."""

    refusal: Refusal
    words: str  # {0} is the domain, {1} the window of the limit, {2} why the recipient is suppressed


# A limit that soon passes is deferred (4xx); what somebody has to change is rejected (5xx).
_TOLD: Mapping[Reason, Told] = {
    Reason.SUSPENDED: Told(Refusal.REJECT, "{} may not send at present"),
    Reason.UNVERIFIED: Told(Refusal.REJECT, "{} has not been verified yet"),
    Reason.MONTHLY: Told(Refusal.REJECT, "{} has reached its monthly limit"),
    Reason.DAILY: Told(Refusal.DEFER, "{} has reached its daily limit"),
    Reason.HOURLY: Told(Refusal.DEFER, "{} has reached its hourly limit"),
    Reason.WARMUP: Told(Refusal.DEFER, "{} has reached the limit of its warm-up"),
    Reason.SPIKE: Told(Refusal.DEFER, "{} sends far more than it used to"),
    Reason.MAILBOX: Told(Refusal.DEFER, "this mailbox of {0} has reached its {1} limit"),
    Reason.LOGIN: Told(Refusal.DEFER, "this login has reached its {1} limit"),
    Reason.SUPPRESSED: Told(Refusal.REJECT, "this recipient is on the suppression list of {0}: {2}"),
    Reason.HELD: Told(Refusal.DEFER, "mail of {} is on hold"),
    Reason.UNGOVERNED: Told(Refusal.REJECT, "{} is no domain that may send here"),
}
REFUSALS: Mapping[Reason, Refusal] = MappingProxyType({reason: told.refusal for reason, told in _TOLD.items()})


class PolicyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about questions and answers."""

    domain_by: tuple[DomainSource, ...] = (DomainSource.SASL, DomainSource.SENDER)  # the first that tells one
    clients: Mapping[IPv4Network | IPv6Network, str] = {}
    internal_domains: frozenset[str] = frozenset()  # mail to them is not outgoing; `.example` means all below it
    count_null_sender: bool = False  # bounces and notifications too, when a login or client tells whose they are
    refuse_ungoverned: bool = False  # mail of no domain of this server, or of none at all; else it passes
    refusals: Mapping[Reason, Refusal] = REFUSALS
    pending: Refusal = Refusal.DEFER  # where the proof of a domain was begun: it may succeed at any time
    quota_header: bool = False  # a softened refusal is told to the recipients, too


def send_request_of(
    request: Request, rules: PolicyRules, asker: str = "", *, is_look: bool = False
) -> SendRequest | None:
    """What to ask about this mail. None: it does not count, and may pass.

    Two mail servers may come upon the same instance; `asker` keeps their mails apart. `is_look`: it is asked about
    again when it is complete.
    """
    if request.stage not in _STAGES or not (request.sender or rules.count_null_sender):
        return None
    if request.recipient and _is_internal(_domain_of(request.recipient), rules.internal_domains):
        return None
    name = _name(request, rules)
    if not name and not rules.refuse_ungoverned:
        return None
    instance = f"{asker}/{request.instance}" if request.instance else ""
    return SendRequest(
        domain=name, units=request.recipient_count or 1, instance=instance, named_at=_named_at(request.instance),
        mail_server=True, is_look=is_look, senders=_senders(request), login=request.sasl_username.lower(),
        recipients=(listed_form(request.recipient),) if request.recipient else (),
    )  # fmt: skip


def ruled(verdict: Verdict, rules: PolicyRules) -> Verdict:
    """What holds for a mail server: of a domain that is not known here, what the settings say."""
    if verdict.known or not rules.refuse_ungoverned:
        return verdict
    return msgspec.structs.replace(verdict, allowed=False, reason=Reason.UNGOVERNED)


def action(verdict: Verdict, stage: str, rules: PolicyRules) -> str:
    """What Postfix is to do."""
    reason = verdict.reason
    if reason is None:
        return DUNNO
    if verdict.held:
        whose = "this login" if verdict.login_held else verdict.domain or "this sender"
        return f"HOLD {_TOLD[Reason.HELD].words.format(whose)} ({Reason.HELD.value})"
    if verdict.allowed:
        summary = f"{verdict.word}; domain={verdict.domain}; today={verdict.sent_today}; month={verdict.sent_month}"
        # At the end Postfix has taken the message in and can change no header of it any more.
        marks = rules.quota_header and stage != END_OF_MESSAGE
        return f"PREPEND {HEADER}: {summary}" if marks else f"INFO {HEADER}: {summary}"
    refusal = rules.pending if verdict.pending else rules.refusals[reason]
    code = "4.7.1" if refusal is Refusal.DEFER else "5.7.1"
    window = verdict.window or LimitWindow.DAY
    told = _TOLD[reason].words.format(verdict.domain or "this sender", window, verdict.suppressed_by)
    return f"{refusal} {code} {told} ({reason.value})"


def _named_at(instance: str) -> int:
    """What Postfix says: process, second, microsecond and number, in hexadecimal. 0: it is of another form."""
    parts = instance.split(".")
    try:
        moment = int(parts[1], 16) * 1_000_000 + int(parts[2], 16)
    except (IndexError, ValueError):
        return 0
    return moment if 0 < moment < _LATEST else 0


def _name(request: Request, rules: PolicyRules) -> str:
    for source in rules.domain_by:
        if source is DomainSource.SASL:
            name = _domain_of(request.sasl_username)
        elif source is DomainSource.SENDER:
            name = _domain_of(request.sender)
        else:
            name = _client(request.client_address, rules.clients)
        if name:
            return name
    return ""


def _senders(request: Request) -> tuple[str, ...]:
    """The login, where it is an address, and the envelope's sender; in lower case."""
    found = (address.lower() for address in (request.sasl_username, request.sender) if "@" in address)
    return tuple(dict.fromkeys(found))


def _domain_of(address: str) -> str:
    """The domain behind the last @, as domains are stored; empty when there is none."""
    name = address.rpartition("@")[2] if "@" in address else ""
    name = name.lower().removesuffix(".") if name.isascii() else canonical_name(name)
    return name if len(name) <= _LONGEST_DOMAIN else ""


def _is_internal(name: str, internal: frozenset[str]) -> bool:
    if not internal or name in internal:
        return bool(internal)
    labels = name.split(".")
    return any("." + ".".join(labels[start:]) in internal for start in range(1, len(labels)))


def _client(address: str, clients: Mapping[IPv4Network | IPv6Network, str]) -> str:
    """The domain of the narrowest network that the address lies in."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    nets = [net for net in clients if found in net]
    return clients[max(nets, key=lambda net: net.prefixlen)] if nets else ""
