"""Finds the reports in a file: opens containers and mails, and has each part read by who knows its format.

Reads only. One part that cannot be read keeps no other from being read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesFeedParser
from typing import BinaryIO

from mailvane.collectors.dmarc.aggregate import read_aggregate
from mailvane.collectors.dmarc.containers import Document, Form, documents, form_of, visible
from mailvane.collectors.dmarc.failure import read_failure, report_part
from mailvane.collectors.dmarc.spool import Spool
from mailvane.collectors.dmarc.tls import MOST_BYTES, read_tls, sessions
from mailvane.errors import InvalidInput
from mailvane.services.report_intake import Aggregate, Found, Unread

MOST_MAIL_BYTES = 16 * 1024**2  # a mail is held in memory
_MOST_PARTS = 100
_PIECE = 65_536
_READ = (Form.XML, Form.JSON, Form.GZIP, Form.ZIP)
# RFC 8460: sender "!" policy domain "!" begin "!" end, and perhaps more
_FILE_NAME = re.compile(r"[^!]+!([^!]+)!\d+!\d+[!.]")


def read_reports(file: BinaryIO, name: str) -> Iterator[Found]:
    """Each report in turn. Raises InvalidInput when the file as a whole cannot be read."""
    yield from _reports(file, name, in_mail=False, domain="")


def _reports(file: BinaryIO, name: str, *, in_mail: bool, domain: str) -> Iterator[Found]:
    for document in documents(file, name):
        try:
            if document.form is Form.MAIL and not in_mail:
                yield from _of_mail(_message(document), name)
            else:
                yield from _of_document(document, domain)
        except InvalidInput as error:
            yield Unread(name=document.name, reason=error.message)


def _of_document(document: Document, domain: str) -> Iterator[Found]:
    if document.form is Form.XML:
        with Spool() as rows:
            yield _aggregate(document, rows)
    elif document.form is Form.JSON:
        named = _FILE_NAME.match(document.name.rpartition(": ")[2])
        report = read_tls(_whole(document, MOST_BYTES))
        yield from sessions(report, document.name, domain or (named[1] if named else ""))
    elif document.form is Form.NOTHING:
        raise InvalidInput("it is empty")
    else:
        document.stream.read(1)  # says why, when that is known
        raise InvalidInput("neither XML, JSON, an archive nor a mail")


def _aggregate(document: Document, rows: Spool) -> Aggregate:
    head = read_aggregate(document.stream, rows.add)
    return Aggregate(
        name=document.name,
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


def _message(document: Document) -> Message:
    """Fed in pieces: a parser that gets all at once holds several copies of it."""
    parser, size = BytesFeedParser(), 0
    while piece := document.stream.read(_PIECE):
        parser.feed(piece)
        size += len(piece)
        if size > MOST_MAIL_BYTES:
            raise InvalidInput(f"more than {MOST_MAIL_BYTES:,} bytes")
    return parser.close()


def _of_mail(message: Message, name: str) -> Iterator[Found]:
    fields = report_part(message)
    if fields is not None:
        yield read_failure(message, fields, name)
        return
    domain = str(message.get("TLS-Report-Domain", "")).strip()
    attached = found = 0
    for part in message.walk():
        if part.is_multipart():
            continue
        attached += 1
        if attached > _MOST_PARTS:
            raise InvalidInput(f"the mail has more than {_MOST_PARTS} parts")
        body = _payload(part)
        if _is_report(part, body):
            found += 1
            yield from _attached(body, f"{name}: {visible(part.get_filename('') or 'part')}", domain)
    if not found:
        raise InvalidInput("a mail without a report")


def _attached(body: bytes, name: str, domain: str) -> Iterator[Found]:
    try:
        yield from _reports(io.BytesIO(body), name, in_mail=True, domain=domain)
    except InvalidInput as error:
        yield Unread(name=name, reason=error.message)


def _payload(part: Message) -> bytes:
    body = part.get_payload(decode=True)
    return body if isinstance(body, bytes) else b""


def _is_report(part: Message, body: bytes) -> bool:
    """Whether a part is worth reading. What a mail says to people is not: HTML looks like XML."""
    form = form_of(body[:1024])
    if form not in _READ:
        return False
    if part.get_content_maintype() != "text" or part.get_filename():
        return True
    return form is not Form.XML or b"<feedback" in body[:4096]
