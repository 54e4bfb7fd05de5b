"""The native intake: a body of NDJSON lines into the journal, all of them or none.

Any mail server can feed Mailvane through it. Sending the same events again is harmless: each is known by its `id`
within the workspace. This is not the mail log; the answer is given when the events are safe in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidEvent, InvalidInput, TooLarge, UnsupportedForm
from mailvane.core.forms import NEEDED, Form, form_of
from mailvane.core.tenants.service import Tenancy
from mailvane.core.unpacking import TooMuch, gunzipped
from mailvane.maillog.api.event import NativeEvent, mail_event
from mailvane.maillog.model import EventBatch, JournalEntry, MailEvent
from mailvane.maillog.reasons import load_reasons
from mailvane.maillog.recording import Recorder
from mailvane.web.wanted import Wanted, WantedFile

MAX_BODY = 32 * 1024 * 1024
MAX_LINES = 100_000  # that are events
LARGE_BODY = 256 * 1024  # bytes; reading more takes long enough to keep others from a quick thread
MAX_WRITTEN = 2 * MAX_LINES  # with empty ones
SOURCE = "intake"


class Receipt(msgspec.Struct, frozen=True):
    """What became of the lines: new ones, and ones that were known already."""

    accepted: int
    duplicates: int


class DecodedEvents(msgspec.Struct, frozen=True):
    """The events of one request, and the id of each."""

    events: list[MailEvent]
    ids: list[str]
    length: int = 0  # of the body, unpacked, in bytes


class Intake:
    """Reads requests, and makes several of them durable at once. Blocking."""

    def __init__(self, tenancy: Tenancy, recorder: Recorder) -> None:
        self._tenancy = tenancy
        self._recorder = recorder
        self._reasons = load_reasons()
        self._decoder = msgspec.json.Decoder(prepared(NativeEvent))

    def read(self, workspace: int, body: bytes, wanted: Wanted | None = None) -> DecodedEvents:
        """Every line of a request.

        Raises InvalidEvent with the number of the first bad line.
        """
        relays = tuple(relay.id for relay in self._tenancy.active_relays(workspace))
        events: list[MailEvent] = []
        ids: list[str] = []
        for number, line in enumerate(WantedFile(body, wanted or Wanted()), 1):
            if number > MAX_WRITTEN:
                raise TooLarge(f"a request has at most {MAX_WRITTEN} lines")
            if not line.strip():
                continue
            if len(events) == MAX_LINES:
                raise TooLarge(f"a request carries at most {MAX_LINES} events")
            try:
                native = self._decoder.decode(line)
                events.append(mail_event(native, _relay(native, relays), SOURCE, number, self._reasons))
            except (InvalidInput, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise InvalidEvent(number, str(error)) from None
            ids.append(native.id)
        return DecodedEvents(events, ids, len(body))

    def commit(self, workspace: int, requests: Sequence[DecodedEvents], now: int) -> list[Receipt]:
        """Make these requests durable together, or none of them.

        Raises NotFound, StoreUnavailable.
        """
        events = [event for request in requests for event in request.events]
        ids = tuple(event_id for request in requests for event_id in request.ids)
        if not events:
            return [Receipt(0, 0) for _ in requests]
        digest = blake2b("\n".join(ids).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        batch = EventBatch(
            f"{SOURCE}:{workspace}:{now}:{digest}",
            workspace,
            self._tenancy.workspace_of(workspace).retention_days,
            events,
        )
        pending = self._recorder.record(JournalEntry(batch=batch, event_ids=ids), now)
        # The stored events come in the order of the requests: count those of each.
        kept = pending.batch.events if pending else []
        receipts, place = [], 0
        for request in requests:
            start = place
            for event in request.events:
                if place < len(kept) and kept[place] == event:
                    place += 1
            receipts.append(Receipt(place - start, len(request.events) - (place - start)))
        return receipts


def _relay(native: NativeEvent, relays: tuple[int, ...]) -> int:
    if native.relay is None:
        if len(relays) == 1:
            return relays[0]
        raise InvalidInput("name the `relay`: the workspace " + ("has several" if relays else "has none yet"))
    if native.relay not in relays:
        raise InvalidInput(f"`relay`: the workspace has no active relay {native.relay}")
    return native.relay


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its content encoding, never larger than is accepted.

    Raises TooLarge, UnsupportedForm, InvalidInput.
    """
    if encoding in {"", "identity"}:
        return _plain(body)
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedForm("the body may be sent plain or as gzip")
    try:
        return _plain(gunzipped(body, MAX_BODY))
    except TooMuch as error:
        raise TooLarge(f"the body: {error.message}") from None


def _plain(body: bytes) -> bytes:
    """Raises UnsupportedForm: what is sent is something else than lines."""
    form = form_of(body[:NEEDED])
    if form not in (Form.PLAIN, Form.NOTHING):
        raise UnsupportedForm(f"the body is {form}: send lines of JSON in UTF-8, plain or as gzip")
    return body
