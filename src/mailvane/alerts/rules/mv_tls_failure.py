"""MV_TLS_FAILURE: so many SMTP sessions failed to be protected by TLS, by TLS reports (RFC 8460). Not of the vendor.

The policy domain must be watched as one whose reports come here, as for the DMARC types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from mailvane.alerts.comparing import AmountInTime
from mailvane.alerts.reports import Counted, failed_of
from mailvane.alerts.rule import Rule
from mailvane.alerts.view import View
from mailvane.domain.alerts import Match
from mailvane.domain.reputation import ObservationKind

_SESSIONS = Counted(ObservationKind.TLS, "failed", ("succeeded", "failed"), "sessions")


class MvTlsFailure(Rule, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "MV_TLS_FAILURE"
    READS: ClassVar[ObservationKind] = ObservationKind.TLS

    mv_tls_failure: AmountInTime

    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        return failed_of(view, profile_id, self.mv_tls_failure, _SESSIONS)
