"""Verification by the provider, and notifications of bounces and complaints. Blocking, for seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailvane.core.errors import NotAllowed, NotFound, NotPossible, ProviderRefused, Transient
from mailvane.outbound.emboux.access import actor_of, owned
from mailvane.outbound.emboux.shape import SesStatus, SesVerification, Taken, ses_status, ses_verification
from mailvane.outbound.feedback import Answer
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Asked


def begin(services: OutboundServices, asked: Asked) -> SesVerification:
    """Raises NotFound, and what the provider raises."""
    actor = actor_of(asked.principal)
    domain = owned(services.governance, asked.principal, asked.path["name"])
    with _refusing():
        challenge = services.domain_verification.begin(domain.name, actor, asked.now, domain.workspace)
    return ses_verification(domain.name, challenge)


def status(services: OutboundServices, asked: Asked) -> SesStatus:
    """Raises NotFound, and what the provider raises."""
    actor = actor_of(asked.principal)
    domain = owned(services.governance, asked.principal, asked.path["name"])
    with _refusing():
        checked, progress = services.domain_verification.check(domain.name, actor, asked.now, domain.workspace)
    return ses_status(checked, progress)


@contextmanager
def _refusing() -> Iterator[None]:
    """# ours: what the provider will not do is told like any other thing that cannot be done."""
    try:
        yield
    except ProviderRefused as error:
        raise NotPossible(error.message) from None


def take(services: OutboundServices, asked: Asked) -> Taken:
    """A notification, judged by whoever the program handed in. Raises NotAllowed, Transient.

    # ours: the vendor does not say what it answers. Whoever sends it tries again after a 503.
    """
    if services.take_notification is None:
        raise NotFound("Not Found")
    outcome = services.take_notification(asked.body, asked.now)
    if outcome.answer is Answer.MALFORMED:
        raise NotPossible(outcome.why)
    if outcome.answer is Answer.REFUSED:
        raise NotAllowed(outcome.why)
    if outcome.answer is Answer.LATER:
        raise Transient(outcome.why)
    return Taken("ok")
