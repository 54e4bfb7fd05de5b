"""Puts the judging of replies together: the gateway keeps their text, a classifier says which are positive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from mailvane.core.errors import MailvaneError
from mailvane.core.leasing import Leasing
from mailvane.core.periodic import Background
from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.keeping import Reply
from mailvane.inbound.reply_text import reply_text
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.mailboxes.store.tracking import TrackingStore
from mailvane.mailboxes.tracking.classifier import Classifier, client, read_key
from mailvane.mailboxes.tracking.classifying import Books, Classifying
from mailvane.mailboxes.tracking.replies import to_be_judged
from mailvane.server.stores import Stores

log = logging.getLogger(__name__)


def judged_replies(settings: MailboxSettings, store: TrackingStore) -> Callable[[Sequence[Reply]], None]:
    """What the gateway tells of replies; without a classifier, nothing is kept of them."""

    def keep(replies: Sequence[Reply]) -> None:
        found = [to_be_judged(one.workspace, one.event, reply_text(one.content)) for one in replies]
        try:
            store.add([(reply, reply.at) for reply in found if reply is not None and reply.text])
        except MailvaneError as error:  # the mails themselves are safe
            log.warning("%d replies stay untagged: %s", len(replies), error.message)

    return keep if settings.classifier_url else lambda _replies: None


def classifying(
    settings: MailboxSettings, stores: Stores, tenancy: Tenancy, clock: Callable[[], int]
) -> list[Background]:
    """Raises InvalidSetting."""
    if not settings.classifier_url:
        return []
    key = read_key(settings.classifier_key_file)

    def classifier() -> Classifier:
        return Classifier(client(), settings.classifier_url, settings.classifier_model, key)

    books = Books(stores.ledger.tracking, lambda: stores.maillog, tenancy, stores.recorder.record)
    judging = Classifying(books, classifier, clock)
    return [partial(judging.run, Leasing(stores.ledger.leases, clock))]
