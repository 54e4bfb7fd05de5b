"""/domains/{name}/ses-verify and ses-status, and the door for notifications. Blocking, for seconds; the caller brings
the thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from litestar.exceptions import HTTPException

from mailvane.core.errors import NotAllowed, ProviderRefused, Transient
from mailvane.core.tenants.model import Principal
from mailvane.outbound.emboux.access import actor_of, owned
from mailvane.outbound.emboux.shape import Taken, encoded, ses_status, ses_verification
from mailvane.outbound.feedback import Answer
from mailvane.outbound.services import OutboundServices


def begin(services: OutboundServices, principal: Principal, name: str) -> bytes:
    """Raises NotFound, and what the provider raises."""
    domain = owned(services.governance, principal, name)
    with _refusing():
        challenge = services.proving.begin(domain.name, actor_of(principal), services.clock(), domain.workspace)
    return encoded(ses_verification(domain.name, challenge))


def status(services: OutboundServices, principal: Principal, name: str) -> bytes:
    """Raises NotFound, and what the provider raises."""
    domain = owned(services.governance, principal, name)
    with _refusing():
        checked, progress = services.proving.check(domain.name, actor_of(principal), services.clock(), domain.workspace)
    return encoded(ses_status(checked, progress))


@contextmanager
def _refusing() -> Iterator[None]:
    """# ours: what the provider will not do is told like any other thing that cannot be done."""
    try:
        yield
    except ProviderRefused as error:
        raise HTTPException(status_code=400, detail=error.message) from None


def take(services: OutboundServices, body: bytes) -> bytes:
    """A notification, judged by whoever the program handed in. Raises NotAllowed, Transient.

    # ours: the vendor does not say what it answers. Whoever sends it tries again after a 503.
    """
    if services.take_notification is None:
        raise HTTPException(status_code=404, detail="Not Found")
    outcome = services.take_notification(body, services.clock())
    if outcome.answer is Answer.MALFORMED:
        raise HTTPException(status_code=400, detail=outcome.why)
    if outcome.answer is Answer.REFUSED:
        raise NotAllowed(outcome.why)
    if outcome.answer is Answer.LATER:
        raise Transient(outcome.why)
    return encoded(Taken("ok"))
