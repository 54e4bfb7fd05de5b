"""Reports about one's mail that others send: DMARC aggregates, TLS sessions, failures and complaints."""

from mailvane.collectors.dmarc.collector import DmarcReports, make
from mailvane.collectors.dmarc.reading import read_reports

__all__ = ["DmarcReports", "make", "read_reports"]
