"""From a request of Postfix to the question that is decided, and from the verdict to the action that Postfix takes.

Which domain a mail counts for, which mail counts at all, and in which words a refusal goes out. Pure; whether a mail
may pass is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from types import MappingProxyType

import msgspec

from mailvane.core.names import canonical_name
from mailvane.outbound.model import Reason, SendRequest, Verdict
from mailvane.outbound.policy.protocol import END_OF_MESSAGE, Request

DUNNO = "DUNNO"  # no opinion: whatever else is configured decides
HEADER = "X-Mailvane-Quota"

_STAGES = frozenset({"MAIL", "RCPT", "DATA", "BDAT", END_OF_MESSAGE})  # at the others there is no mail yet
_LONGEST_DOMAIN = 253


class DomainSource(StrEnum):
    """What tells for which domain a mail counts."""

    SASL = "sasl"  # the domain of the user who logged in
    SENDER = "sender"  # the domain of the envelope's sender
    CLIENT = "client"  # the address of the machine, by a table


class Refusal(StrEnum):
    """How a mail is refused."""

    DEFER = "DEFER"  # come again later
    REJECT = "REJECT"  # do not


# What is over by itself is worth another try; what a person has to change is not.
REFUSALS: Mapping[Reason, Refusal] = MappingProxyType(
    {
        Reason.SUSPENDED: Refusal.REJECT,
        Reason.UNVERIFIED: Refusal.REJECT,
        Reason.MONTHLY: Refusal.REJECT,
        Reason.DAILY: Refusal.DEFER,
        Reason.HOURLY: Refusal.DEFER,
        Reason.WARMUP: Refusal.DEFER,
        Reason.SPIKE: Refusal.DEFER,
        Reason.UNGOVERNED: Refusal.REJECT,
    }
)

_EXPLANATIONS: Mapping[Reason, str] = {
    Reason.SUSPENDED: "{} may not send at present",
    Reason.UNVERIFIED: "{} has not been verified yet",
    Reason.MONTHLY: "{} has reached its monthly limit",
    Reason.DAILY: "{} has reached its daily limit",
    Reason.HOURLY: "{} has reached its hourly limit",
    Reason.WARMUP: "{} has reached the limit of its warm-up",
    Reason.SPIKE: "{} sends far more than it used to",
    Reason.UNGOVERNED: "{} is no domain that may send here",
}


class PolicyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about questions and answers."""

    domain_by: tuple[DomainSource, ...] = (DomainSource.SASL, DomainSource.SENDER)  # the first that tells one
    clients: Mapping[IPv4Network | IPv6Network, str] = {}
    internal_domains: frozenset[str] = frozenset()  # mail to them is not outgoing; `.example` means all below it
    count_null_sender: bool = False  # bounces and notifications too, when a login or client tells whose they are
    refuse_ungoverned: bool = False  # mail of no domain of this server, or of none at all; else it passes
    refusals: Mapping[Reason, Refusal] = REFUSALS


def passage(request: Request, rules: PolicyRules, asker: str = "") -> SendRequest | None:
    """What to ask about this mail. None: it does not count, and may pass.

    Two mail servers may come upon the same instance; `asker` keeps their mails apart.
    """
    if request.stage not in _STAGES or not (request.sender or rules.count_null_sender):
        return None
    if request.recipient and _is_internal(_domain_of(request.recipient), rules.internal_domains):
        return None
    name = _name(request, rules)
    if not name and not rules.refuse_ungoverned:
        return None
    instance = f"{asker}/{request.instance}" if request.instance else ""
    return SendRequest(domain=name, units=request.recipient_count or 1, instance=instance, mail_server=True)


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
    if verdict.allowed:
        told = f"{verdict.word}; domain={verdict.domain}; today={verdict.sent_today}; month={verdict.sent_month}"
        # By then Postfix has taken the message in and can change no header of it any more.
        return f"INFO {HEADER}: {told}" if stage == END_OF_MESSAGE else f"PREPEND {HEADER}: {told}"
    refusal = rules.refusals[reason]
    code = "4.7.1" if refusal is Refusal.DEFER else "5.7.1"
    return f"{refusal} {code} {_EXPLANATIONS[reason].format(verdict.domain or 'this sender')} ({reason.value})"


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
