"""How a domain's mail can be told from others': its SPF, DKIM and DMARC as DNS says, each known, wrong or unknown.

The list of domains and the page of one ask the same here, so that they never disagree about what is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mailvane.dashboard.services import DashboardServices
from mailvane.dmarc.policy import tags_of
from mailvane.outbound.model import Domain
from mailvane.reputation.model import Asset, AssetKind

_KINDS = (AssetKind.DOMAIN, AssetKind.DMARC)
_NOT_ASKED = "not asked: the domain is not watched under Reputation"
_NO_ANSWER = "the domain is watched, and DNS has not answered yet"
_ALL = re.compile(r"([-~?+]?)all", re.IGNORECASE)
_ENFORCED = frozenset({"quarantine", "reject"})


class Proof(msgspec.Struct, frozen=True):
    """What is known of one kind of proof."""

    name: str
    mark: str
    record: str  # as it is published; empty: nothing is
    told: str


def assets_of(services: DashboardServices, workspace: int, names: Collection[str]) -> dict[str, list[Asset]]:
    """What these domains are watched as, by name: two questions, however many domains there are."""
    found: dict[str, list[Asset]] = {}
    for kind in _KINDS:
        for asset in services.reputation.watched_assets.named(workspace, kind, names):
            found.setdefault(asset.name, []).append(asset)
    return found


def proofs(domain: Domain, assets: Sequence[Asset]) -> tuple[Proof, Proof, Proof]:
    """SPF, DKIM and DMARC of it; `assets`: as what its name is watched."""
    asked = [asset for asset in assets if asset.kind in _KINDS]
    return _spf(asked), _dkim(domain), _dmarc(domain, asked)


def _said(assets: Sequence[Asset], field: str) -> Mapping[str, Any] | None:
    """What a source said of a record, the one that found it first; None: DNS has not answered."""
    told = [asset.details for asset in assets if field in asset.details]
    return next((each for each in told if each[field]), told[0]) if told else None


def _unknown(name: str, assets: Sequence[Asset]) -> Proof:
    return Proof(name, "unknown", "", _NO_ANSWER if assets else _NOT_ASKED)


def _spf(assets: Sequence[Asset]) -> Proof:
    """RFC 7208: what stands behind `all` holds for servers that nothing before it names."""
    said = _said(assets, "spf")
    if said is None:
        return _unknown("SPF", assets)
    record = str(said["spf"])
    if not record:
        return Proof("SPF", "warn", "", "nothing is published: no server may send in its name by SPF")
    terms = record.split()[1:]
    qualifier = next((found[1] or "+" for term in terms if (found := _ALL.fullmatch(term))), "")
    if qualifier == "+":
        return Proof("SPF", "bad", record, "every server in the world may send in its name")
    if qualifier in {"", "?"} and not any(term.lower().startswith("redirect=") for term in terms):
        return Proof("SPF", "warn", record, "published, but nothing is said of servers that it does not name")
    return Proof("SPF", "ok", record, "as it is published in DNS")


def _dkim(domain: Domain) -> Proof:
    """Its selectors are known of keys only that were given out here: DNS cannot be asked for all that there are."""
    if not domain.dkim_tokens:
        return Proof("DKIM", "unknown", "", "no key was given out by this server")
    given = f"{len(domain.dkim_tokens)} keys were given out"
    if domain.verification.value == "verified":
        return Proof("DKIM", "ok", "", f"{given} and found in DNS")
    return Proof("DKIM", "unknown", "", f"{given}; they were not found in DNS yet")


def _dmarc(domain: Domain, assets: Sequence[Asset]) -> Proof:
    said = _said(assets, "dmarc")
    if said is None:
        return _unknown("DMARC", assets)
    record = str(said["dmarc"])
    if not record:
        return Proof("DMARC", "warn", "", "nothing is published: receivers are told no policy")
    tags = tags_of(record)
    is_above = str(said.get("found_at") or domain.name) != domain.name
    policy = (tags.get("sp") if is_above else None) or tags.get("p", "")
    if policy.lower() in _ENFORCED:
        return Proof("DMARC", "ok", record, f"receivers are told to {policy.lower()} mail that fails")
    return Proof("DMARC", "warn", record, "published, but receivers are told to do nothing about mail that fails")


def all_proofs(domain: Domain, assets: Sequence[Asset]) -> Iterator[Proof]:
    """Likewise, and how far the domain itself is proved."""
    yield from proofs(domain, assets)
    state = {"verified": "ok", "pending": "warn"}.get(domain.verification.value, "none")
    told = {
        "verified": "it was proved that mail may be sent from it",
        "pending": "the proof was begun; what it asks for is not published yet",
    }.get(domain.verification.value, "nobody asked to verify it")
    yield Proof("Verification", state, "", told)
