"""The people that simulated mail is written to. An address that does not exist today does not exist tomorrow."""

from __future__ import annotations

from random import Random

import msgspec

from mailvane_demo.world import providers
from mailvane_demo.world.providers import NOWHERE, PROVIDERS, Provider, Refusal
from mailvane_demo.world.senders import FIRST_NAMES, LAST_NAMES, Sender

_ODDITIES = (
    # what is wrong with an address, and how often it is that among the bad ones
    ("unknown", 0.62),
    ("full", 0.14),
    ("disabled", 0.06),
    ("nowhere", 0.06),
    ("dead", 0.05),
    ("policy", 0.04),
    ("content", 0.03),
)


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """An address, who keeps its mailbox, and why it never gets any mail, if so."""

    address: str
    provider: Provider
    flaw: Refusal | None = None


def mailing_list(sender: Sender, random: Random) -> list[Recipient]:
    """Everybody that a sender writes to."""
    shares = [provider.share for provider in PROVIDERS]
    kept_by = random.choices(PROVIDERS, shares, k=sender.list_size)
    return [_recipient(number, provider, sender, random) for number, provider in enumerate(kept_by)]


def _recipient(number: int, provider: Provider, sender: Sender, random: Random) -> Recipient:
    local = f"{random.choice(FIRST_NAMES)}.{random.choice(LAST_NAMES)}{number if number % 3 else ''}"
    if random.random() >= sender.stale:
        return Recipient(f"{local}@{random.choice(provider.domains)}", provider)
    kinds, weights = zip(*_ODDITIES, strict=True)
    kind = random.choices(kinds, weights)[0]
    if kind in {"nowhere", "dead"}:
        provider = NOWHERE
    domain = provider.domains[-1] if kind == "dead" else random.choice(provider.domains[:2])
    return Recipient(f"{local}@{domain}", provider, _flaw(kind, provider))


def _flaw(kind: str, provider: Provider) -> Refusal:
    flaws = {
        "unknown": provider.unknown,
        "full": provider.full,
        "disabled": providers.DISABLED,
        "nowhere": providers.NO_SUCH_DOMAIN,
        "dead": providers.DEAD_SERVER,
        "policy": providers.RELAY_DENIED,
        "content": providers.ATTACHMENT,
    }
    return flaws[kind]
