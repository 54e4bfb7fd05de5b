"""The commands as a person uses them: with a server and without one, and what they say when they refuse."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from mailvane_demo.world.postfix import PostfixWorld
from tests.acceptance.installation import HTTP, Installation, stop
from tests.ports import free_port
from tests.waiting import PATIENCE

START = 1_760_000_000_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "mail.log"
    path.write_text("".join(f"{line}\n" for line in PostfixWorld(2, START, 300).lines(START, START + 2 * DAY)))
    return path


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def test_the_same_answers_come_with_a_server_and_without(installation: Installation, log: Path) -> None:
    installation.run("workspace", "create", "acme")
    relay = installation.answer("relay", "create", "--workspace", "acme")["id"]
    token = installation.answer("key", "create", "--workspace", "acme", "--kind", "workspace")["token"]
    summary = installation.answer("import", "postfix", str(log), "--workspace", "acme")
    assert summary["messages"] > 300
    assert summary["not_understood"] == {}
    alone = installation.everything("acme")
    one = alone["rows"]["deliveries"][0]["mail_id"]
    life = installation.answer("explain", one)
    assert "qmgr" in life[0]["raw"]
    asked = [("since:2025-01-01 -state:delivered", "--limit", "9999"), ("state:delivered", "--since", "2025-01-01")]
    found = [installation.answer("log", query, *more) for query, *more in asked]
    bounced, delivered = (each["total"] for each in found)
    assert bounced + delivered == installation.answer("log", "--notifications", "--limit", "1")["total"]
    assert delivered > bounced > 0
    assert {each["status"] for each in found[0]["deliveries"]} >= {"bounced"}
    with installation.serving():
        assert [installation.answer("log", query, *more) for query, *more in asked] == found
        assert installation.everything("acme") == alone
        assert installation.answer("explain", one) == life
        assert [order["id"] for order in installation.get("/mail", token)] == [relay]


def test_an_import_beside_a_server_can_be_queried_when_it_ends(installation: Installation, log: Path) -> None:
    installation.tenant("acme")
    with installation.serving():
        summary = installation.answer("import", "postfix", str(log), "--workspace", "acme")
        rows = installation.answer("log", "--by-message", "--limit", "1")
        again = installation.answer("import", "postfix", str(log), "--workspace", "acme")
    assert rows["total"] == summary["messages"]
    assert again["lines"] == 0


def test_a_backup_taken_from_a_running_server_restores_everything(
    installation: Installation, log: Path, tmp_path: Path
) -> None:
    installation.tenant("acme")
    copy = tmp_path / "copy"
    with installation.serving():
        installation.run("import", "postfix", str(log), "--workspace", "acme")
        whole = installation.everything("acme")
        installation.run("backup", str(copy))
        refused = installation.run("backup", str(copy), succeeds=False)
    assert "not empty" in refused.stderr
    other = Installation(tmp_path / "other")
    other.run("restore", str(copy))
    assert other.everything("acme") == whole
    # What was read before the backup is known after it, too.
    assert other.answer("import", "postfix", str(log), "--workspace", "acme")["lines"] == 0


def test_rebuilding_the_views_changes_no_answer(installation: Installation, log: Path) -> None:
    installation.tenant("acme")
    installation.run("import", "postfix", str(log), "--workspace", "acme")
    before = installation.everything("acme")
    with installation.serving():
        told = installation.run("rebuild").stdout
        assert installation.everything("acme") == before
    assert "deliveries" in told


def test_a_workspace_sees_nothing_of_another(installation: Installation, log: Path) -> None:
    installation.tenant("acme")
    relay, token = installation.tenant("other")
    installation.run("import", "postfix", str(log), "--workspace", "acme")
    with installation.serving():
        assert installation.get("/mail/log", token)["total"] == 0
        assert installation.get("/mail/stats", token, time="all")["received"] == 0
        assert [order["id"] for order in installation.get("/mail", token)] == [relay]
        strange = HTTP.get(f"{installation.url}/mail/log", params={"id": 1}, headers={"X-API-KEY": token})
    assert strange.status_code == httpx.codes.NOT_FOUND


def test_a_second_server_is_refused_with_one_clear_line(installation: Installation) -> None:
    with installation.serving() as first:
        for name in ("MAILVANE_HTTP", "MAILVANE_POLICY", "MAILVANE_SMTP"):
            installation.environment[name] = f"127.0.0.1:{free_port()}"
        second = installation.run("serve", succeeds=False)
    assert f"in use by mailvane serve (process {first.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_busy_port_is_refused_with_one_clear_line(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", installation.port))
        taken.listen()
        refused = installation.run("serve", succeeds=False)
    assert f"cannot listen on 127.0.0.1:{installation.port}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["log"], "there is no workspace yet"),
        (["explain", "no id"], "18 hexadecimal digits; a queue id has letters"),
        (["explain", "nonsense"], "workspace acme has no mail nonsense"),
        (["serve", "--roles", "polite"], "there is no role polite"),
        (["import", "postfix", "/no/such/file", "--workspace", "acme"], "there is no workspace named 'acme'"),
        (["key", "create", "--kind", "master"], "master token"),
        (["restore", "/no/such/directory"], "no backup"),
    ],
)
def test_a_refusal_is_one_line(installation: Installation, words: list[str], said: str) -> None:
    if words[0] == "explain":
        installation.tenant("acme")
    refused = installation.run(*words, succeeds=False)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_unknown_setting_is_refused_at_start(installation: Installation) -> None:
    installation.environment["MAILVANE_HTPP"] = "127.0.0.1:1"
    refused = installation.run("serve", succeeds=False)
    assert "MAILVANE_HTPP" in refused.stderr
    assert "did you mean MAILVANE_HTTP" in refused.stderr


def test_the_doctor_finds_nothing_wrong_with_a_running_server(installation: Installation) -> None:
    with installation.serving():
        found = installation.answer("doctor")
    assert {check["result"] for check in found} == {"good"}


def test_a_log_can_come_through_a_pipe(installation: Installation, log: Path) -> None:
    installation.tenant("acme")
    words = ("import", "postfix", "-", "--workspace", "acme", "--json")
    with installation.running(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        told, _ = process.communicate(log.read_text(), timeout=PATIENCE)
    assert json.loads(told)["messages"] == installation.answer("log", "--by-message", "--limit", "1")["total"]


def test_the_demo_shows_a_living_world(installation: Installation) -> None:
    place = str(installation.data / "demo")
    with installation.running("demo", "--days", "2", "--data", place, stdout=subprocess.PIPE) as process:
        installation.wait_until_ready()
        assert process.stdout is not None
        lines: list[str] = []
        while not any("Ctrl-C" in line for line in lines):
            lines.append(process.stdout.readline())
        _inbound_lines_hold(installation, [line.strip() for line in lines])
        commands = [line.strip() for line in lines if line.strip().startswith("curl")]
        assert len(commands) >= 3
        for command in commands:
            answer = json.loads(subprocess.run(command, shell=True, check=True, capture_output=True).stdout)
            # The mail log, the statistics, what a domain may send, alerts and assets, and what the webhook got.
            told = ("total", "received", "outbound_status", "data")
            assert any(answer.get(name) for name in told) or "messages" in answer
        stop(process)


def _inbound_lines_hold(installation: Installation, lines: list[str]) -> None:
    """Each line that the demo says of inbound mail is true, and shows what it promises."""
    start = next(number for number, line in enumerate(lines) if line.startswith("Mail comes in"))
    told = [line for line in lines[start + 1 :] if " --data " in line or line.startswith("curl")][:6]

    def done(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, shell=True, check=False, capture_output=True, text=True, env=installation.environment
        )

    held, senders, limit, health = (done(command) for command in told[:4])
    assert (held.returncode, senders.returncode, limit.returncode) == (0, 0, 0), held.stderr
    assert "is waiting" in held.stdout
    assert "news@daily-grocer.example" in senders.stdout
    assert "this week" in limit.stdout
    assert health.returncode == 1, health.stdout  # there are alerts
    for alert in ("Weekly quota at", "in quarantine awaiting review", "delivery failures detected"):
        assert alert in health.stdout
    for command in told[4:]:
        assert json.loads(done(command).stdout)["total"] >= 5, command


def test_keys_are_listed_given_an_end_and_revoked(installation: Installation) -> None:
    installation.tenant("acme")
    key = installation.answer("key", "create", "--kind", "workspace", "--expires", "2w")
    assert key["expires_at"].endswith("Z")
    with installation.serving():
        installation.get("/mailvane/v1/keys", key["token"])
        (listed,) = [each for each in installation.answer("key", "list") if each["id"] == key["id"]]
        assert key["token"].startswith(listed["hint"])
        assert listed["last_used_at"] is not None
        assert installation.answer("key", "set", str(key["id"]), "--expires", "never")["expires_at"] is None
        told = installation.run("key", "list").stdout
        assert key["token"] not in told
        assert f"{key['token'][:8]}…" in told
        assert installation.run("key", "revoke", str(key["id"])).returncode == 0
        headers = {"X-API-KEY": key["token"]}
        installation.wait_for(
            lambda: HTTP.get(f"{installation.url}/mail", headers=headers).status_code == httpx.codes.UNAUTHORIZED
        )
    for words in (("revoke", str(key["id"])), ("set", "99", "--expires", "1d"), ("set", "1", "--expires", "soon")):
        assert installation.run("key", *words, succeeds=False).returncode == 1


@pytest.mark.parametrize("served", [True, False], ids=["beside a server", "alone"])
def test_a_workspace_is_removed_after_it_was_said_what_goes(
    installation: Installation, log: Path, served: bool
) -> None:
    installation.tenant("other")
    installation.tenant("acme")
    messages = installation.answer("import", "postfix", str(log), "--workspace", "acme")["messages"]
    with ExitStack() as running:
        if served:
            running.enter_context(installation.serving())
        said = installation.run("workspace", "remove", "acme", succeeds=False)
        assert said.returncode == 1
        assert "events of mail" in said.stdout
        assert "--yes" in said.stderr
        assert len(installation.answer("workspace", "list")) == 2
        gone = installation.answer("workspace", "remove", "acme", "--yes")
        assert gone["events"] > messages
        assert gone["rows"]["keys"] == 1
        assert [each["name"] for each in installation.answer("workspace", "list")] == ["other"]
        again = installation.run("workspace", "remove", "acme", "--yes", succeeds=False)
        assert (again.returncode, "no workspace named 'acme'" in again.stderr) == (1, True)
    with installation.serving():  # nothing is left that a start would refuse
        assert installation.answer("workspace", "list")[0]["name"] == "other"
