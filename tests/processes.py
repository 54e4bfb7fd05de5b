"""Processes for tests, forked from one that has imported the program already: importing is most of a short one's work.

The one that is forked has not loaded the engine of the mail log and has no threads. What is forked is a function of a
module; it sees nothing of what its test has changed.
"""

from __future__ import annotations

from multiprocessing import get_context

FORKING = get_context("forkserver")
FORKING.set_forkserver_preload(
    ["mailvane.server.stores", "mailvane.server.serving", "alembic.command", "tests.acceptance.preloaded"]
)
