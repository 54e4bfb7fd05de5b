"""The paths of the Emboux API, a row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailvane.outbound.emboux import api_keys, domains, outbound, shape, verification
from mailvane.outbound.emboux.parameters import (
    DomainApproval,
    DomainCreation,
    DomainOwner,
    KeyCreation,
    KeyTerms,
    OutboundChange,
)
from mailvane.outbound.emboux.shape import DIALECT, WEBHOOK
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Endpoint, Pool, RouteTable

__all__ = ["DIALECT", "ROUTES"]

_LARGEST_NOTIFICATION = 1024 * 1024  # ours: a topic passes on at most 256 kB, written as JSON within JSON
_DOMAIN = "/domains/{name:str}"
_KEY = "/api-keys/{token:str}"


def _domains() -> Iterator[Endpoint]:
    yield Endpoint(
        "get", "/domains", "DomainsListDomains", "All domains that the key opens", domains.listed,
        list[shape.NewDomain],
    )  # fmt: skip
    yield Endpoint(
        "post", "/domains", "DomainsCreateDomain", "A new domain", domains.create, shape.NewDomain, DomainCreation, 201
    )
    yield Endpoint("delete", _DOMAIN, "DomainsNameRemoveDomain", "Remove a domain", domains.remove, None)
    yield Endpoint(
        "put", f"{_DOMAIN}/owner", "DomainsNameOwnerMoveDomain", "Give a domain to another partner", domains.move,
        shape.Owner, DomainOwner,
    )  # fmt: skip
    yield Endpoint(
        "put", f"{_DOMAIN}/suspend", "DomainsNameSuspendSuspendDomain", "Stop a whole domain", domains.suspend,
        shape.Lifecycle,
    )  # fmt: skip
    yield Endpoint(
        "put", f"{_DOMAIN}/activate", "DomainsNameActivateActivateDomain", "Start a stopped domain", domains.activate,
        shape.Lifecycle,
    )  # fmt: skip
    yield Endpoint(
        "put", f"{_DOMAIN}/approve", "DomainsNameApproveApproveDomain",
        "Let a domain that a customer made hold for mail servers and feedback", domains.approve, shape.Approval,
        DomainApproval,
    )  # fmt: skip


def _sending() -> Iterator[Endpoint]:
    path = f"{_DOMAIN}/outbound"
    yield Endpoint("get", path, "DomainsNameOutboundShowOutbound", "Limits and counters", outbound.show, shape.Outbound)
    yield Endpoint(
        "put", path, "DomainsNameOutboundChangeOutbound", "Change limits", outbound.change, shape.Outbound,
        OutboundChange,
    )  # fmt: skip
    yield Endpoint(
        "post", f"{path}/increment", "DomainsNameOutboundIncrementIncrement",
        "May this mail pass? Counts it when it may", outbound.increment, shape.Increment, pool=Pool.LOOP,
        query=(outbound.INCREMENT_KEY, outbound.SENDER, outbound.LOGIN, outbound.RECIPIENT),
    )  # fmt: skip
    yield Endpoint(
        "post", f"{_DOMAIN}/ses-verify", "DomainsNameSesVerifyBeginVerification", "Begin to prove a domain",
        verification.begin, shape.SesVerification, pool=Pool.OUTSIDE,
    )  # fmt: skip
    yield Endpoint(
        "get", f"{_DOMAIN}/ses-status", "DomainsNameSesStatusVerificationStatus", "How far the proof is",
        verification.status, shape.SesStatus, pool=Pool.OUTSIDE,
    )  # fmt: skip
    yield Endpoint(
        "post", "/outbound/reset-daily", "OutboundResetDailyResetDaily", "Begin every domain's day anew",
        outbound.reset_daily, shape.DailyReset,
    )  # fmt: skip
    yield Endpoint(
        "post", "/outbound/reset-monthly", "OutboundResetMonthlyResetMonthly",
        "Freeze every domain's month, and begin it anew", outbound.reset_monthly, shape.MonthlyReset,
        query=(outbound.IDEMPOTENCY_KEY,),
    )  # fmt: skip
    yield Endpoint(
        "post", WEBHOOK, "WebhooksSesTakeNotification", "Take in a notification of bounces and complaints",
        verification.take, shape.Taken, dict[str, Any], largest=_LARGEST_NOTIFICATION, pool=Pool.OUTSIDE,
        refusals=(403, 404, 422),
    )  # fmt: skip


def _keys() -> Iterator[Endpoint]:
    yield Endpoint(
        "post", "/api-keys", "ApiKeysCreateKey", "A customer's key", api_keys.create, shape.ApiKey, KeyCreation, 201
    )
    yield Endpoint(
        "put", _KEY, "ApiKeysTokenChangeKey", "Change a key's terms", api_keys.change, shape.ApiKey, KeyTerms,
        forgets_keys=True,
    )  # fmt: skip
    yield Endpoint("delete", _KEY, "ApiKeysTokenRemoveKey", "Take a key back", api_keys.remove, None, forgets_keys=True)
    yield Endpoint(
        "get", f"{_KEY}/usage", "ApiKeysTokenUsageKeyUsage", "What a key's terms are used for", api_keys.usage,
        shape.KeyUsage, query=(api_keys.SINCE,),
    )  # fmt: skip


ROUTES = RouteTable([*_domains(), *_sending(), *_keys()], OutboundServices, DIALECT, tags=("Emboux",), clients=True)
