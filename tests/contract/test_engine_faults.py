"""A process that crashes ends, with the embedded engine in it, too."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.waiting import PATIENCE

CRASHING = """
import ctypes
from mailvane.maillog.clickhouse.engine import client_in_memory
with client_in_memory() as client:
    client.command("SELECT 1")
    ctypes.string_at(0)
"""


def test_a_process_that_crashes_ends_at_once_and_says_where() -> None:
    command = [sys.executable, "-c", CRASHING]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)

    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    assert "string_at" in done.stderr
