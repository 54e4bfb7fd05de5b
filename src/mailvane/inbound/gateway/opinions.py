"""What is thought of a mail that has arrived: its score, who vouches for its sender, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from mailvane.core.errors import CollectionFailed
from mailvane.core.group_commit import GroupCommit
from mailvane.inbound import authentication, scores
from mailvane.inbound.filtering import BODY_BYTES, FilteredMail
from mailvane.inbound.gateway.arrival import Arrival, Judged
from mailvane.inbound.headers import header_length
from mailvane.inbound.judging import Circumstances, Outcome, Thresholds, judge
from mailvane.inbound.model import Contact, ContactState, Filter, MessageStatus
from mailvane.inbound.routing import Route
from mailvane.inbound.rspamd import Checked, SpamFilter
from mailvane.inbound.scores import SpamScore
from mailvane.inbound.settings import InboundSettings
from mailvane.inbound.stores import InboundStores

_AT_ONCE = 200


class _Known(msgspec.Struct, frozen=True):
    """What a workspace has to say about a sender."""

    contact: Contact | None
    filters: Sequence[Filter]


class Opinions:
    """Belongs to one event loop."""

    def __init__(self, settings: InboundSettings, stores: InboundStores, spam_filter: SpamFilter | None) -> None:
        self._settings = settings
        self._stores = stores
        self._spam_filter = spam_filter
        self._knowing: GroupCommit[None, tuple[int, str], _Known] = GroupCommit(self._ask, _AT_ONCE)

    async def judge(self, arrival: Arrival) -> Judged:
        """Raises CollectionFailed where the settings say that mail waits for the spam filter, StoreUnavailable."""
        score = await self._score(arrival)
        results = dict(score.authentication)
        if arrival.is_trusted:
            results |= authentication.from_results(arrival.headers, self._settings.authserv_id)
        workspaces = sorted({route.domain.workspace for route in arrival.routes})
        sender = (arrival.headers.from_address or arrival.sender).lower()
        known = {workspace: await self._knowing.add(None, (workspace, sender)) for workspace in workspaces}
        outcomes = [
            self._outcome(arrival, route, known[route.domain.workspace], (score, results)) for route in arrival.routes
        ]
        return Judged(score=score, authentication=results, outcomes=tuple(_together(outcomes)))

    async def _score(self, arrival: Arrival) -> SpamScore:
        if self._settings.score_from == "headers":
            if not arrival.is_trusted:
                return SpamScore(problem="the client is no trusted relay, so its headers are not believed")
            return scores.from_headers(arrival.headers)
        if self._spam_filter is None:
            return scores.UNKNOWN
        mail = Checked(
            content=arrival.content,
            sender=arrival.sender,
            recipients=tuple(route.recipient for route in arrival.routes),
            client=arrival.client,
            client_name=arrival.client_name,
            helo=arrival.helo,
        )
        try:
            return await self._spam_filter.score(mail)
        except CollectionFailed as error:
            if self._settings.score_unknown == "tempfail":
                raise CollectionFailed("The spam filter does not answer; try again later") from error
            return SpamScore(problem=error.message)

    async def _ask(self, _key: None, asked: Sequence[tuple[int, str]]) -> Sequence[_Known]:
        if self._stores.recipients.reads_at_once:
            return self._look_up(asked)
        return await asyncio.to_thread(self._look_up, asked)

    def _look_up(self, asked: Sequence[tuple[int, str]]) -> list[_Known]:
        """Of workspaces and senders; many mails share a look."""
        senders: dict[int, set[str]] = {}
        for workspace, sender in asked:
            senders.setdefault(workspace, set()).add(sender)
        known = self._stores.recipients.senders(senders)
        return [
            _Known(known[one].contacts.get(sender) if "@" in sender else None, known[one].filters)
            for one, sender in asked
        ]

    def _outcome(
        self, arrival: Arrival, route: Route, known: _Known, found: tuple[SpamScore, Mapping[str, str]]
    ) -> Outcome:
        score, results = found
        contact, address = known.contact, route.address
        quarantine = None if address is None else address.quarantine_at
        reject = None if address is None else address.reject_at
        if address is None:  # unlisted addresses pass unfiltered, facts section 1.6 "Relay"
            return Outcome(status=MessageStatus.PENDING)
        return judge(
            Circumstances(
                mail=filtered_mail(arrival, contact, score),
                state=ContactState.UNSET if contact is None else contact.state,
                authentication=results,
                thresholds=Thresholds(
                    self._settings.quarantine_at if quarantine is None else quarantine,
                    self._settings.reject_at if reject is None else reject,
                ),
                address=address.id,
                filters=known.filters,
                whitelist_needs_pass=self._settings.whitelist_needs_pass,
            )
        )


def filtered_mail(arrival: Arrival, contact: Contact | None, score: SpamScore) -> FilteredMail:
    """What filters look at."""
    begin = header_length(arrival.content)
    return FilteredMail(
        headers=arrival.headers,
        sender=arrival.sender,
        category="" if contact is None else contact.category,
        score=score,
        body=arrival.content[begin : begin + BODY_BYTES].decode("utf-8", "replace"),
        size=len(arrival.content),
    )


def _together(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One reply is for all recipients: where some take the mail, those that would refuse it hold it instead."""
    if all(each.status is MessageStatus.REJECTED for each in outcomes):
        return list(outcomes)
    return [
        msgspec.structs.replace(
            each,
            status=MessageStatus.QUARANTINED,
            reason=f"{each.reason}; not refused because others of its recipients take it",
        )
        if each.status is MessageStatus.REJECTED
        else each
        for each in outcomes
    ]
