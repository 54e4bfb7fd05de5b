"""Reads TLS reports (RFC 8460): JSON, one entry for each policy that was applied. Knows no file and no container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput
from mailvane.core.names import mail_domain
from mailvane.dmarc.intake import TlsSessions
from mailvane.dmarc.readers.aggregate import MOST_IDENTITY

_MOST_REMARKS = 10
_MOST_COUNT = 10**15
_COUNTS = frozenset({"total-successful-session-count", "total-failure-session-count", "failed-session-count"})
_LISTS = frozenset({"policy-string", "mx-host"})


class _Remarks:
    """Each once, and not too many."""

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}

    def __call__(self, text: str) -> None:
        if len(self.texts) < _MOST_REMARKS:
            self.texts[text] = None


def as_it_is_meant(document: object) -> tuple[dict[str, Any], list[str]]:
    """The report with every field of the kind that the RFC gives it. Raises InvalidInput where there is no report."""
    if not isinstance(document, Mapping):
        raise InvalidInput("not an object")
    remark = _Remarks()
    report: dict[str, Any] = {
        name: _text(document.get(name), name, remark) for name in ("organization-name", "report-id", "contact-info")
    }
    given = document.get("date-range")
    span = given if isinstance(given, Mapping) else {}
    report["date-range"] = {name: _moment(span.get(name)) for name in ("start-datetime", "end-datetime")}
    report["policies"] = list(_policies(document.get("policies"), remark))
    return report, list(remark.texts)


def _policies(policies: object, remark: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for number, each in _objects(policies, "policies", remark):
        if isinstance(each.get("policy"), Mapping):
            yield _policy(each, f"policies[{number}]", remark)
        else:
            remark(f"policies[{number}] was passed over: it does not say which policy it is of")


def _policy(policy_given: Mapping[str, Any], place: str, remark: Callable[[str], None]) -> dict[str, Any]:
    policy = {
        name: _texts(value, f"{place}.{name}", remark) if name in _LISTS else _text(value, f"{place}.{name}", remark)
        for name, value in policy_given["policy"].items()
        if value is not None
    }
    given = policy_given.get("summary")
    summary = given if isinstance(given, Mapping) else {}
    if summary is not given:
        remark(f"{place}.summary is missing: no session of it is counted")
    return {
        "policy": policy,
        "summary": {name: _count(summary[name], f"{place}.{name}", remark) for name in _COUNTS & set(summary)},
        "failure-details": [
            {name: _field(name, value, f"{place}.{name}", remark) for name, value in each.items() if value is not None}
            for _, each in _objects(policy_given.get("failure-details"), f"{place}.failure-details", remark)
        ],
    }


def _objects(values: object, place: str, remark: Callable[[str], None]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if isinstance(values, Mapping):
        remark(f"{place} is one object: taken as a list of one")
        values = [values]
    if not isinstance(values, list):
        return
    for number, each in enumerate(values):
        if isinstance(each, Mapping):
            yield number, each
        else:
            remark(f"{place}[{number}] was passed over: it is no object")


def _field(name: str, value: object, place: str, remark: Callable[[str], None]) -> object:
    return _count(value, place, remark) if name in _COUNTS else _text(value, place, remark)


def _text(value: object, place: str, remark: Callable[[str], None]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        remark(f"{place} is a number: taken as text")
        return str(value)
    if value is not None:
        remark(f"{place} was passed over: it is no text")
    return ""


def _texts(value: object, place: str, remark: Callable[[str], None]) -> list[str]:
    return [_text(each, place, remark) for each in (value if isinstance(value, list) else [value])]


def _count(value: object, place: str, remark: Callable[[str], None]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_COUNT:
        return value
    text = str(value).strip().removesuffix(".0")
    if isinstance(value, str | float) and text.isascii() and text.isdecimal() and len(text) <= 15:
        remark(f"{place} is not written as a whole number: taken as {int(text):,}")
        return int(text)
    remark(f"{place} was passed over: it is no number of sessions")
    return 0


def _moment(value: object) -> str:
    """ISO 8601; some write seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            return str(value)
    return value if isinstance(value, str) else ""


MOST_BYTES = 8 * 1024**2
_MOST_DOMAINS = 100  # of one report; RFC 8460 has one
_MOST_SESSIONS = 10**12  # of one domain in one report: what stores add up must not overflow
_MOST_FAILURES = 100  # that are kept of one domain, those of most sessions
_MOST_TEXT = 500
_REVERSED = "its time range ends before it begins: taken the other way round"
_Sessions = Annotated[int, Meta(ge=0, le=10**15)]


class _Spelled(msgspec.Struct, frozen=True, rename="kebab"):
    """Field names as the RFC writes them."""


class DateRange(_Spelled, frozen=True, rename="kebab"):
    start_datetime: str
    end_datetime: str


class Policy(_Spelled, frozen=True, rename="kebab"):
    policy_type: str = ""
    policy_string: list[str] | str | None = None
    policy_domain: str | None = None
    mx_host: list[str] | str | None = None


class Summary(_Spelled, frozen=True, rename="kebab"):
    total_successful_session_count: _Sessions = 0
    total_failure_session_count: _Sessions = 0


class FailureDetails(_Spelled, frozen=True, rename="kebab"):
    result_type: str = ""
    sending_mta_ip: str | None = None
    receiving_mx_hostname: str | None = None
    receiving_mx_helo: str | None = None
    receiving_ip: str | None = None
    failed_session_count: _Sessions = 0
    additional_information: str | None = None
    failure_reason_code: str | None = None


class PolicyResult(_Spelled, frozen=True, rename="kebab"):
    policy: Policy
    summary: Summary = Summary()
    failure_details: list[FailureDetails] | None = None


class TlsReport(_Spelled, frozen=True, rename="kebab"):
    organization_name: str
    date_range: DateRange
    report_id: str
    policies: list[PolicyResult]
    contact_info: str | None = None


class Reading(NamedTuple):
    """A report, and what of it is not as the RFC has it."""

    report: TlsReport
    remarks: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(TlsReport)


def read_tls(content: bytes) -> Reading:
    """As it is written; else, where the JSON is another than the RFC's, as it is meant. Raises InvalidInput."""
    text = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return Reading(_decoder.decode(text))
    except msgspec.ValidationError as error:
        found = _second(text, f"it is not as RFC 8460 has it: {error}")
        if found is None:
            raise InvalidInput(f"not a TLS report: {error}") from None
        return found
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a TLS report: {error}") from None


def _second(text: bytes, why: str) -> Reading | None:
    try:
        document, remarks = as_it_is_meant(msgspec.json.decode(text))
        return Reading(msgspec.convert(document, prepared(TlsReport)), (why, *remarks))
    except (msgspec.MsgspecError, InvalidInput, UnicodeDecodeError, RecursionError):
        return None


def sessions(reading: Reading, name: str, domain: str = "") -> Iterator[TlsSessions]:
    """By policy domain; `domain` is of those that name none. Raises InvalidInput."""
    report = reading.report
    organisation, report_id = report.organization_name.strip(), report.report_id.strip()
    if not organisation or not report_id:
        raise InvalidInput("organization-name or report-id is empty")
    if max(len(each.encode("utf-8", "replace")) for each in (organisation, report_id)) > MOST_IDENTITY:
        raise InvalidInput(f"organization-name or report-id has more than {MOST_IDENTITY:,} bytes")
    begins, ends = _second_of(report.date_range.start_datetime), _second_of(report.date_range.end_datetime)
    by_domain = _by_domain(report, domain)
    remarks = reading.remarks if begins <= ends else (*reading.remarks, _REVERSED)
    if nameless := by_domain.pop("", []):
        if not by_domain:
            raise InvalidInput("its policies name no policy-domain, and neither does the mail or the file's name")
        counts = [each.summary for each in nameless]
        total = sum(each.total_successful_session_count + each.total_failure_session_count for each in counts)
        remarks = (
            *remarks,
            f"{len(nameless)} of its policies name no policy-domain: passed over, of {total:,} sessions",
        )
    for asset, results in by_domain.items():
        succeeded = sum(each.summary.total_successful_session_count for each in results)
        failed = sum(each.summary.total_failure_session_count for each in results)
        if max(succeeded, failed) > _MOST_SESSIONS:
            raise InvalidInput(f"it tells of more than {_MOST_SESSIONS:,} sessions")
        yield TlsSessions(
            name=name,
            organisation=organisation,
            report_id=report_id,
            domain=asset,
            begins=min(begins, ends),
            ends=max(begins, ends),
            succeeded=succeeded,
            failed=failed,
            data=_data(report, results),
            remarks=remarks,
        )


def _by_domain(report: TlsReport, domain: str) -> dict[str, list[PolicyResult]]:
    found: dict[str, list[PolicyResult]] = {}
    for result in report.policies:
        found.setdefault(mail_domain((result.policy.policy_domain or domain).strip()), []).append(result)
    if not found:
        raise InvalidInput("there is no policy in it")
    if len(found) > _MOST_DOMAINS:
        raise InvalidInput(f"its policies are of more than {_MOST_DOMAINS} domains")
    return found


def _data(report: TlsReport, results: Sequence[PolicyResult]) -> dict[str, Any]:
    failures = [(result, each) for result in results for each in result.failure_details or ()]
    failures.sort(key=lambda pair: -pair[1].failed_session_count)
    data: dict[str, Any] = {
        "policy_types": list(dict.fromkeys(each.policy.policy_type[:_MOST_TEXT] for each in results))[:_MOST_FAILURES],
        # What became of the sessions to which one policy was applied; a session may be told of under several.
        "policies": [
            {
                **_type_of(each),
                "succeeded": each.summary.total_successful_session_count,
                "failed": each.summary.total_failure_session_count,
            }
            for each in results[:_MOST_FAILURES]
        ],
        "failures": [_plain(each) | _type_of(result) for result, each in failures[:_MOST_FAILURES]],
    }
    if report.contact_info:
        data["contact"] = report.contact_info[:_MOST_TEXT]
    return data


def _type_of(result: PolicyResult) -> dict[str, str]:
    return {"policy_type": result.policy.policy_type[:_MOST_TEXT]}


def _plain(failure: FailureDetails) -> dict[str, Any]:
    fields = msgspec.structs.asdict(failure)
    return {
        name: value[:_MOST_TEXT] if isinstance(value, str) else value
        for name, value in fields.items()
        if value not in (None, "")
    }


def _second_of(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidInput(f"date-range says {text[:40]!r}, which is no time") from None
