"""Every page, a row each."""

from __future__ import annotations

from mailvane.dashboard.pages import account, log, login, mail, workspaces
from mailvane.dashboard.visits import Page

PAGES: tuple[Page, ...] = (*login.PAGES, *account.PAGES, *workspaces.PAGES, *log.PAGES, *mail.PAGES)
