"""Every page, a row each."""

from __future__ import annotations

from mailvane.dashboard.pages import (
    account,
    alert_editor,
    alert_rules,
    alerts,
    dmarc,
    domains,
    log,
    login,
    lookalikes,
    mail,
    maintenance,
    overview,
    quarantine,
    reputation,
    told,
    workspaces,
)
from mailvane.dashboard.visits import Page

PAGES: tuple[Page, ...] = (
    *login.PAGES,
    *account.PAGES,
    *workspaces.PAGES,
    *overview.PAGES,
    *log.PAGES,
    *mail.PAGES,
    *domains.PAGES,
    *dmarc.PAGES,
    *lookalikes.PAGES,
    *reputation.PAGES,
    *alerts.PAGES,
    *alert_rules.PAGES,
    *alert_editor.PAGES,
    *told.PAGES,
    *maintenance.PAGES,
    *quarantine.PAGES,
)
