"""Every module has its tests at the same path under `tests/unit`, or is named here with the ring that judges it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mailvane"
UNIT = ROOT / "tests" / "unit"

JUDGED_ELSEWHERE = {
    "admission/checks/": "tests/rules",
    "alerts/addresses.py": "tests/rules",
    "alerts/listings.py": "tests/rules",
    "alerts/lookalikes.py": "tests/rules",
    "alerts/reports.py": "tests/rules",
    "alerts/rule.py": "tests/rules",
    "alerts/rules/": "tests/rules",
    "alerts/traffic.py": "tests/rules",
    "alerts/trap_hits.py": "tests/rules",
    "collectors/collector.py": "tests/acceptance",
    "collectors/resolving/lookups.py": "tests/unit",
    "collectors/dnsbl/probe.py": "tests/unit",
    "app/": "tests/acceptance",
    "domain/alerts.py": "tests/contract",
    "domain/blocklists.py": "tests/unit",
    "domain/clients.py": "tests/contract",
    "domain/reputation.py": "tests/contract",
    "domain/tenancy.py": "tests/contract",
    "storage/clients.py": "tests/contract",
    "storage/domains.py": "tests/contract",
    "storage/interface.py": "tests/contract",
    "storage/reputation.py": "tests/contract",
    "storage/maillog/": "tests/contract",
    "storage/ledger/": "tests/contract",
    "notify/notifier.py": "tests/unit",
    "surfaces/cli/": "tests/acceptance",
    "surfaces/http/emailconsul/": "tests/wire",
    "surfaces/http/emboux/": "tests/wire",
    "surfaces/http/mailbaby/": "tests/wire",
    "surfaces/http/native/": "tests/wire",
}


def has_code(path: Path) -> bool:
    return path.name != "__init__.py" or "def " in path.read_text()


def unit_test_of(name: str) -> Path:
    path = UNIT / name
    return path.with_name(f"test_{path.name}")


def test_every_module_has_its_tests() -> None:
    names = [str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if has_code(path)]
    untested = [
        name
        for name in sorted(names)
        if not unit_test_of(name).exists() and not any(name.startswith(part) for part in JUDGED_ELSEWHERE)
    ]
    assert untested == []


def test_no_exemption_outlives_its_module() -> None:
    for name, ring in JUDGED_ELSEWHERE.items():
        assert (SOURCE / name).exists(), name
        assert (ROOT / ring).is_dir(), ring
