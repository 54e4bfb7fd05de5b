"""The shipped unit: what it says is understood by systemd, and a server tells it when it is ready and that it lives.

Backups as such a server makes them: with the settings, without the token, and refused where it cannot write.
"""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import COMMAND, Installation
from tests.waiting import PATIENCE

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"


@pytest.fixture(scope="module")
def notified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, socket.socket]]:
    place = tmp_path_factory.mktemp("unit")
    installation = Installation(place / "data")
    (installation.data / "mailvane.toml").write_text('[outbound]\nsuppression = "warn"\n')
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind("")
        heard.settimeout(PATIENCE)
        address = "@" + heard.getsockname()[1:].decode()
        installation.environment |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        with installation.starting("serve"):
            assert heard_states(heard, "READY=1")
            assert httpx.get(f"{installation.url}/readyz").is_success, "told when it answers"
            yield installation, heard


def heard_states(heard: socket.socket, until: str) -> list[str]:
    found: list[str] = []
    while until not in found:
        found += heard.recv(4096).decode().splitlines()
    return found


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.iterdir()))
def test_systemd_understands_each_unit(tmp_path: Path, unit: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/mailvane/bin/mailvane", str(COMMAND))
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", "--generators=no", str(tmp_path / unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    ours = [line for line in done.stderr.splitlines() if "mailvane" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_server_says_that_it_lives(notified: tuple[Installation, socket.socket]) -> None:
    assert heard_states(notified[1], "WATCHDOG=1")


def test_a_backup_has_the_settings_and_not_the_token(notified: tuple[Installation, socket.socket]) -> None:
    installation, _ = notified
    copy = installation.data.parent / "copy"
    told = installation.run("backup", str(copy)).stdout
    assert "the settings" in told
    assert str(installation.data / "master-token") in told
    settings = copy / "mailvane.toml"
    assert settings.read_text() == (installation.data / "mailvane.toml").read_text()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    token = (installation.data / "master-token").read_text().strip()
    assert not any(token in path.read_bytes().decode("latin-1") for path in copy.rglob("*") if path.is_file())
    other = Installation(installation.data.parent / "other")
    other.run("restore", str(copy))
    assert (other.data / "mailvane.toml").read_text() == settings.read_text()
    assert other.answer("workspace", "list") == installation.answer("workspace", "list")


def test_a_place_that_the_server_cannot_write_is_told(notified: tuple[Installation, socket.socket]) -> None:
    installation, _ = notified
    (installation.data / "file").touch()
    for target in ("/proc/mailvane-backup", str(installation.data / "file" / "below")):
        refused = installation.run("backup", target, succeeds=False)
        assert refused.returncode == 1
        assert f"cannot write {target}" in refused.stderr
        assert "under systemd" in refused.stderr
        headers = {"X-API-KEY": (installation.data / "master-token").read_text().strip()}
        body = {"task": "backup", "target": target}
        answer = httpx.post(f"{installation.url}/mailvane/v1/maillog/upkeep", json=body, headers=headers)
        assert answer.status_code == 400, answer.text


def test_at_its_end_it_says_so(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind("")
        heard.settimeout(PATIENCE)
        installation.environment["NOTIFY_SOCKET"] = "@" + heard.getsockname()[1:].decode()
        with installation.starting("serve", "--roles", "policy") as process:
            assert heard_states(heard, "READY=1")
            process.terminate()
            assert heard_states(heard, "STOPPING=1")
