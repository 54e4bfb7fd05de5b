"""What holds for every ring.

In continuous integration nothing may skip for want of a program. Generated examples are the same in each run: new
ones are searched for by hand (`tests/depth.py`). Nowhere is an example timed. The machine's time zone is UTC for every
test that does not set another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.depth import DEEP

NO_SKIPS = os.environ.get("TEST_MAILVANE_NO_SKIPS") == "1"

os.environ["TZ"] = "UTC"  # of the logs that tests write, wherever they run
time.tzset()

settings.register_profile("mailvane", deadline=None, derandomize=not DEEP)
settings.load_profile("mailvane")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may skip: {report.longrepr}"
    return report


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Packed bytes carry the time at which they were packed: processes that run tests side by side would not agree."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None
