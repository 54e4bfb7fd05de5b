"""While much is written at once the embedded engine merges nothing, and afterwards it does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mailvane.core.errors import MailvaneError
from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.model import EventBatch
from tests.contract.maillogs import embedded
from tests.contract.test_maillog import delivered


def merged(maillog: ClickHouseMailLog) -> bool:
    """Whether two parts become one when that is asked for."""
    with suppress(MailvaneError):  # so the engine says that it may not
        maillog._engine.command("OPTIMIZE TABLE events FINAL")
    parts = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events'"
    return maillog._engine.rows(parts) == [(1,)]


def test_parts_are_merged_when_all_is_written(tmp_path: Path) -> None:
    with open_maillog(embedded(tmp_path / "maillog")) as maillog:
        with maillog.merging_later():
            for number in (1, 2):
                maillog.append(EventBatch(f"{number}", 1, 0, [delivered(number=number)]))
            assert not merged(maillog)
        assert merged(maillog)
