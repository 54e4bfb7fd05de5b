"""Filters: whether one matches a mail, and which one decides. Pure.

Texts are compared without regard to case. A regular expression that takes too long on a mail does not match it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import regex

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidFields
from mailvane.inbound.headers import Headers, header_length, read_headers
from mailvane.inbound.model import Condition, Contact, Filter, Message, RuleGroup
from mailvane.inbound.scores import SpamScore, Symbol

BODY_BYTES = 64 * 1024  # of the content as it was sent are looked at
_REGEX_SECONDS = 0.05
_LONGEST_PATTERN = 500
_NUMERIC = frozenset({"greater_than", "less_than"})
_VALUELESS = frozenset({"exists", "not_exists"})


class FilteredMail(msgspec.Struct, frozen=True, kw_only=True):
    """What filters look at."""

    headers: Headers
    sender: str  # of the envelope
    category: str  # of the contact
    score: SpamScore
    body: str = ""  # the beginning of it, as it was sent
    size: int = 0


def kept_mail(message: Message, content: bytes | None, contact: Contact | None) -> FilteredMail:
    """A message of the ledger as filters see it. Without its content they see what the ledger has of it: no header
    fields but the sender's address and name and the subject, and no body."""
    if content is None:
        headers = Headers(
            fields=(), from_address=message.from_address, from_name=message.from_name, subject=message.subject,
            message_id=message.message_id, received=0,
        )  # fmt: skip
        body = ""
    else:
        headers, begin = read_headers(content), header_length(content)
        body = content[begin : begin + BODY_BYTES].decode("utf-8", "replace")
    symbols = msgspec.json.decode(message.symbols, type=prepared(tuple[Symbol, ...]))
    return FilteredMail(
        headers=headers,
        sender=message.sender,
        category="" if contact is None else contact.category,
        score=SpamScore(value=message.score, symbols=symbols),
        body=body,
        size=message.size if content is None else len(content),
    )


def deciding(filters: Iterable[Filter], address: str | None, mail: FilteredMail) -> Filter | None:
    """The first active one that is for this address and matches."""
    return next((each for each in filters if is_for(each, address) and matches(each, mail)), None)


def is_for(rule: Filter, address: str | None) -> bool:
    return rule.active and rule.address in (None, address)


def matches(rule: Filter, mail: FilteredMail) -> bool:
    """Whether all groups hold. One without any condition matches nothing: it was not finished."""
    groups = [group for group in rule.groups if group.conditions]
    return bool(groups) and all(_group_holds(group, mail) for group in groups)


def check_filter(rule: Filter) -> None:
    """Raises InvalidFields for a condition that can never be evaluated."""
    for group_number, group in enumerate(rule.groups):
        for number, condition in enumerate(group.conditions):
            problem = _problem(condition)
            if problem:
                raise InvalidFields((f"groups[{group_number}].conditions[{number}]", problem))


def _problem(condition: Condition) -> str:
    if condition.component == "header" and not condition.name:
        return "name the header field"
    if condition.operator in _NUMERIC:
        if condition.component not in ("spam_score", "property"):
            return f"{condition.operator} is for numbers"
        return "" if _number(condition.value) is not None else f"{condition.value!r} is no number"
    if condition.operator == "matches":
        try:
            regex.compile(condition.value[: _LONGEST_PATTERN + 1])
        except regex.error as error:
            return f"the regular expression cannot be read: {error}"
        return "the regular expression is too long" if len(condition.value) > _LONGEST_PATTERN else ""
    return "" if condition.value or condition.operator in _VALUELESS else "the value is missing"


def _group_holds(group: RuleGroup, mail: FilteredMail) -> bool:
    found = (holds(condition, mail) for condition in group.conditions)
    return any(found) if group.match == "any" else all(found)


def holds(condition: Condition, mail: FilteredMail) -> bool:
    values = _values(condition, mail)
    operator = condition.operator
    if operator in _VALUELESS:
        return any(values) is (operator == "exists")
    if operator in _NUMERIC:
        limit = _number(condition.value)
        numbers = [number for value in values if (number := _number(value)) is not None]
        if limit is None:
            return False
        return any(number > limit if operator == "greater_than" else number < limit for number in numbers)
    if operator.startswith("not_"):
        return not any(_POSITIVE[operator.removeprefix("not_")](value, condition.value) for value in values)
    return any(_POSITIVE[operator](value, condition.value) for value in values)


def _contains(value: str, wanted: str) -> bool:
    return wanted.casefold() in value.casefold()


def _equals(value: str, wanted: str) -> bool:
    return value.casefold() == wanted.casefold()


def _starts_with(value: str, wanted: str) -> bool:
    return value.casefold().startswith(wanted.casefold())


def _ends_with(value: str, wanted: str) -> bool:
    return value.casefold().endswith(wanted.casefold())


def _matches(value: str, wanted: str) -> bool:
    try:
        return regex.search(wanted, value, flags=regex.IGNORECASE, timeout=_REGEX_SECONDS) is not None
    except (regex.error, TimeoutError):
        return False


_POSITIVE: Mapping[str, Callable[[str, str], bool]] = {
    "contains": _contains,
    "equals": _equals,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "matches": _matches,
}


def _values(condition: Condition, mail: FilteredMail) -> Sequence[str]:
    """What the condition looks at: nothing, one text or several."""
    if condition.component == "header":
        return [value.strip() for value in mail.headers.all(condition.name)]
    if condition.component == "property":
        return [str(mail.size)] if condition.name in ("", "size") else []
    if condition.component == "spam_score":
        return [] if mail.score.value is None else [str(mail.score.value)]
    if condition.component == "spam_symbol":
        return [symbol.name for symbol in mail.score.symbols]
    found = {
        "from": mail.headers.from_address,
        "from_name": mail.headers.from_name,
        "sender": mail.sender,
        "subject": mail.headers.subject,
        "body": mail.body,
        "category": mail.category,
    }[condition.component]
    return [found] if found else []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
