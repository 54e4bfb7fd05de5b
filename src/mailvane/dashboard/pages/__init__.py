"""Every page, a row each."""

from __future__ import annotations

from mailvane.dashboard.pages import account, alerts, domains, log, login, mail, overview, quarantine, workspaces
from mailvane.dashboard.visits import Page

PAGES: tuple[Page, ...] = (
    *login.PAGES,
    *account.PAGES,
    *workspaces.PAGES,
    *overview.PAGES,
    *log.PAGES,
    *mail.PAGES,
    *domains.PAGES,
    *alerts.PAGES,
    *quarantine.PAGES,
)
