"""TLS and abuse reports that others sent about the workspace's domains. Blocking.

Times are ISO 8601, or milliseconds since the epoch; answers are in milliseconds.
"""

from __future__ import annotations

from mailvane.core.errors import InvalidFields
from mailvane.core.moments import DAY_MS
from mailvane.dmarc.model import AbusePage, ReportQuestion, RowQuestion, ServiceSummary, TlsPage
from mailvane.dmarc.services import DmarcServices
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.parameters import Moment, moment, number, part

_USUAL_STRETCH_MS = 30 * DAY_MS
_LATE_MS = 2 * DAY_MS  # a report may end a little later than our clock says
_MOST = 1000
_USUAL = 100
_FLAG = ("true", "false", "1", "0")
_TIME = {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}]}
_OF_BOTH = (
    Parameter("since", "Reports that end at this time or later; the last 30 days where nothing is said.", _TIME),
    Parameter("until", "Reports that end before this time.", _TIME),
    Parameter("domain", "Only about this domain."),
    *part(_USUAL, _MOST),
)
SENDERS = _OF_BOTH[:3]
TLS = (*_OF_BOTH, Parameter("failing", "Only of failed sessions.", {"type": "string", "enum": [*_FLAG, ""]}))
ABUSE = (*_OF_BOTH, Parameter("type", "Only of this feedback type."))


def tls(services: DmarcServices, asked: Asked) -> TlsPage:
    """With `failing=true`, only reports of failed sessions."""
    given = asked.query.get("failing", "").strip().lower()
    if given not in {"", *_FLAG}:
        raise InvalidFields(("failing", "expected true or false"))
    return services.reports.tls_reports(_question(asked, failing_only=given in {"true", "1"}))


def abuse(services: DmarcServices, asked: Asked) -> AbusePage:
    """With `type`, only reports of that feedback type."""
    wanted = asked.query.get("type", "").strip().lower()
    return services.reports.abuse_reports(_question(asked, feedback_type=wanted or None))


def senders(services: DmarcServices, asked: Asked) -> list[ServiceSummary]:
    """By domain and name of the service, with when it was first and last seen."""
    question = _question(asked)
    return services.senders.services(
        RowQuestion(workspace=asked.workspace, since=question.since, until=question.until, domain=question.domain)
    )


def _question(asked: Asked, *, failing_only: bool = False, feedback_type: str | None = None) -> ReportQuestion:
    until = _moment(asked, "until", asked.now + _LATE_MS)
    return ReportQuestion(
        workspace=asked.workspace,
        since=_moment(asked, "since", min(until, asked.now) - _USUAL_STRETCH_MS),
        until=until,
        domain=asked.query.get("domain", "").strip().rstrip(".").lower() or None,
        failing_only=failing_only,
        feedback_type=feedback_type,
        offset=number(asked, "offset", 0, 2**31 - 1),
        limit=number(asked, "limit", _USUAL, _MOST),
    )


def _moment(asked: Asked, name: str, usual: int) -> int:
    given = asked.query.get(name, "").strip()
    if not given:
        return usual
    digits = given.isascii() and given.isdecimal() and len(given) < 17
    value: Moment = int(given) if digits else given
    return moment(name, value)
