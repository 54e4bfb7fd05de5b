"""Where a page of the mail log begins, as its address tells it; nothing here asks a store."""

from __future__ import annotations

from mailvane.core.errors import InvalidInput
from mailvane.maillog.model import mail_id, parse_mail_id
from mailvane.maillog.queries import Place, RefusedPlace


def place_text(place: Place) -> str:
    """Such as 18f3a….2.0.ann@isp.example: mail, relay, number of the recipient, recipient."""
    mail = mail_id(place.accepted_at, place.number)
    return f"{mail}.{place.relay}.{place.recipient_number}.{place.recipient}"


def place_of(text: str) -> Place | None:
    """None: the newest. Raises InvalidInput."""
    if not text:
        return None
    mail, relay, number, recipient = _parts(text, 4)
    accepted_at, mail_number = parse_mail_id(mail)
    return Place(accepted_at, mail_number, _number(relay), _number(number), recipient)


def refused_text(place: RefusedPlace) -> str:
    mail = mail_id(place.accepted_at, place.number)
    return f"{mail}.{place.relay}.{place.at}.{place.line}.{place.recipient}"


def refused_of(text: str) -> RefusedPlace | None:
    """None: the newest. Raises InvalidInput."""
    if not text:
        return None
    mail, relay, at, line, recipient = _parts(text, 5)
    accepted_at, mail_number = parse_mail_id(mail)
    return RefusedPlace(accepted_at, mail_number, _number(relay), _number(at), _number(line), recipient)


def _parts(text: str, count: int) -> list[str]:
    parts = text.split(".", count - 1)
    if len(parts) != count:
        raise InvalidInput("at: expected the place of a row")
    return parts


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise InvalidInput("at: expected the place of a row")
    return int(text)
