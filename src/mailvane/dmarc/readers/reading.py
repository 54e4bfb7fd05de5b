"""Finds the reports in a file: opens containers and mails, and has each part read by who knows its format.

Reads only. One part that cannot be read keeps no other from being read.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from mailvane.core import forms
from mailvane.core.errors import InvalidInput, MailvaneError
from mailvane.dmarc.intake import Aggregate, Found, Unread
from mailvane.dmarc.readers.aggregate import Head, NotWellFormed, read_aggregate
from mailvane.dmarc.readers.containers import Budget, Document, Form, Remembered, documents, form_of, visible
from mailvane.dmarc.readers.failure import in_words, read_failure, report_part
from mailvane.dmarc.readers.kumomta import is_records, read_records
from mailvane.dmarc.readers.mails import MOST_PARTS, Part, walk
from mailvane.dmarc.readers.repair import MOST_BYTES as MOST_REPAIRED
from mailvane.dmarc.readers.repair import repaired
from mailvane.dmarc.readers.spool import Spool
from mailvane.dmarc.readers.tls import MOST_BYTES, read_tls, sessions

log = logging.getLogger(__name__)

MOST_MAIL_BYTES = 16 * 1024**2  # a mail is held in memory
MOST_IN_MAIL = 128 * 1024**2  # unpacked, of all that is attached to one mail
_PIECE = 65_536
_READ = (Form.XML, Form.JSON, Form.GZIP, Form.ZIP)
# RFC 8460: sender "!" policy domain "!" begin "!" end, and perhaps more
_FILE_NAME = re.compile(r"[^!]+!([^!]+)!\d+!\d+[!.]")


def read_reports(file: BinaryIO, name: str) -> Iterator[Found]:
    """Each report in turn. Raises InvalidInput when the file as a whole cannot be read.

    Whatever one report of it makes a parser do, the others are read. Errors of the system (OSError) are passed on: they
    say nothing about the file.
    """
    try:
        yield from _reports(file, name, Budget(), in_mail=False, domain="")
    except (MailvaneError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - as below, in what holds the reports
        raise InvalidInput(_unforeseen(name, error)) from None


def _reports(file: BinaryIO, name: str, budget: Budget, *, in_mail: bool, domain: str) -> Iterator[Found]:
    for document in documents(file, name, budget):
        try:
            if document.form is Form.MAIL and not in_mail:
                yield from _of_mail(Part(_whole(document, MOST_MAIL_BYTES)), name)
            else:
                yield from _of_document(document, domain)
        except InvalidInput as error:
            yield Unread(name=document.name, reason=error.message)
        except (MailvaneError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - a parser met what nobody thought of, in this one report
            yield Unread(name=document.name, reason=_unforeseen(document.name, error))


def _unforeseen(name: str, error: Exception) -> str:
    log.warning("%s made a reader fail", name, exc_info=error)
    return f"it made the reader fail: {type(error).__name__}"


def _of_document(document: Document, domain: str) -> Iterator[Found]:
    if document.form is Form.XML:
        yield from _aggregates(document)
    elif document.form is Form.JSON:
        named = _FILE_NAME.match(document.name.rpartition(": ")[2])
        content = _whole(document, MOST_BYTES)
        if is_records(content):
            yield from read_records(content, document.name)
            return
        found = read_tls(content)
        yield from sessions(found, document.name, domain or (named[1] if named else ""))
    elif document.form is Form.NOTHING:
        raise InvalidInput("it is empty")
    else:
        whole = forms.form_of(document.stream.read(forms.NEEDED))  # or says why, when that is known
        what = "" if whole is forms.Form.PLAIN else f"it is {whole}: "
        raise InvalidInput(f"{what}neither XML, JSON, an archive nor a mail")


def _aggregates(document: Document) -> Iterator[Found]:
    """As it is written; else, where that is no XML, as it is meant."""
    source = Remembered(document.stream, MOST_REPAIRED)
    try:
        with Spool() as rows:
            yield _aggregate(document.name, read_aggregate(source, rows.add), rows)
    except NotWellFormed:
        content = source.whole()
        found = repaired(content) if content is not None else None
        if found is None:
            raise
        with Spool() as rows:
            content, changed = found
            head = read_aggregate(io.BytesIO(content), rows.add)
            for what in changed:
                head.tally.remark(f"it is not well-formed: {what}")
            yield _aggregate(document.name, head, rows)


def _aggregate(name: str, head: Head, rows: Spool) -> Aggregate:
    return Aggregate(
        name=name,
        organisation=head.organisation,
        report_id=head.report_id,
        domain=head.domain,
        begins=head.begins,
        ends=head.ends,
        head=head.as_mapping(),
        counts=head.tally.counts,
        rows=rows,
        row_count=head.tally.rows,
        remarks=head.tally.remarks,
    )


def _whole(document: Document, most: int) -> bytes:
    read = bytearray()
    while piece := document.stream.read(_PIECE):
        read += piece
        if len(read) > most:
            raise InvalidInput(f"more than {most:,} bytes")
    return bytes(read)


def _of_mail(mail: Part, name: str) -> Iterator[Found]:
    fields = report_part(mail)
    if fields is not None:
        yield read_failure(mail, fields, name)
        return
    domain = str(mail.headers.get("TLS-Report-Domain", "")).strip()
    budget = Budget(MOST_IN_MAIL)
    attached = found = 0
    for part in walk(mail, into_mails=True):
        if part.holds_parts:
            continue
        attached += 1
        if attached > MOST_PARTS:
            raise InvalidInput(f"the mail has more than {MOST_PARTS} parts")
        body = part.content()
        if _is_report(part, body):
            found += 1
            yield from _attached(body, f"{name}: {visible(part.filename or 'part')}", budget, domain)
    if found:
        return
    worded = in_words(mail)
    if worded is None:
        raise InvalidInput("a mail without a report")
    failure = read_failure(mail, worded.fields, name, worded.headers)
    yield msgspec.structs.replace(failure, remarks=("it is told in words alone, and was read from them",))


def _attached(body: bytes, name: str, budget: Budget, domain: str) -> Iterator[Found]:
    try:
        yield from _reports(io.BytesIO(body), name, budget, in_mail=True, domain=domain)
    except InvalidInput as error:
        yield Unread(name=name, reason=error.message)
    except (MailvaneError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a container that nobody thought of; the other parts are read
        yield Unread(name=name, reason=_unforeseen(name, error))


def _is_report(part: Part, body: bytes) -> bool:
    """Whether a part may be a report. The readable text of a mail is not: HTML looks like XML."""
    form = form_of(body[:1024])
    if form not in _READ:
        return False
    if not part.kind.startswith("text/") or part.filename:
        return True
    return form is not Form.XML or b"<feedback" in body[:4096]
