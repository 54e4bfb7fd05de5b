"""Who sends in the name of domains, by name of the service."""

from __future__ import annotations

from mailvane.dmarc.model import RowQuestion, ServiceSummary
from mailvane.dmarc.store.senders import SenderStore


class Senders:
    """Safe to share between threads."""

    def __init__(self, store: SenderStore) -> None:
        self._store = store

    def services(self, question: RowQuestion) -> list[ServiceSummary]:
        """Those that sent within the stretch, by domain, the most messages first."""
        return self._store.services(question)
