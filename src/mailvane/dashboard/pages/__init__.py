"""Every page, a row each."""

from __future__ import annotations

from mailvane.dashboard.pages import (
    account,
    alert_editor,
    alert_rules,
    alerts,
    dmarc,
    domains,
    filters,
    inbound,
    log,
    login,
    lookalikes,
    mail,
    mailboxes,
    maintenance,
    overview,
    quarantine,
    reputation,
    server,
    settings,
    told,
    what_if,
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
    *what_if.PAGES,
    *dmarc.PAGES,
    *lookalikes.PAGES,
    *reputation.PAGES,
    *alerts.PAGES,
    *alert_rules.PAGES,
    *alert_editor.PAGES,
    *told.PAGES,
    *maintenance.PAGES,
    *server.PAGES,
    *settings.PAGES,
    *quarantine.PAGES,
    *inbound.PAGES,
    *filters.PAGES,
    *mailboxes.PAGES,
)
