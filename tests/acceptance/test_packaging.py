"""What the image and the package leave out is not needed, and what they are made of is there and right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
import yaml

from tests.acceptance.installation import COMMAND, Installation
from tests.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
CONTAINER, DEBIAN = ROOT / "deploy" / "container", ROOT / "deploy" / "debian"
LINES = """\
Nov 27 10:00:00 mx postfix/smtpd[7]: 4cj3lp5BPLz7WRw: client=app.shop.example[192.0.2.7]
Nov 27 10:00:00 mx postfix/cleanup[8]: 4cj3lp5BPLz7WRw: message-id=<1@shop.example>
Nov 27 10:00:00 mx postfix/qmgr[9]: 4cj3lp5BPLz7WRw: from=<ann@shop.example>, size=900, nrcpt=1 (queue active)
Nov 27 10:00:01 mx postfix/smtp[10]: 4cj3lp5BPLz7WRw: to=<bob@inbox.example>, relay=mx.inbox.example[192.0.2.8]:25, \
delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
Nov 27 10:00:01 mx postfix/qmgr[9]: 4cj3lp5BPLz7WRw: removed
"""


def left_out() -> list[str]:
    """What both ways to package take out again."""
    told = {
        re.findall(r"pip\"? uninstall (?:--quiet )?--yes ([\w ]+)", path.read_text())[0]
        for path in (CONTAINER / "Dockerfile", DEBIAN / "build")
    }
    (names,) = told
    return str(names).split()


def test_the_server_and_the_commands_run_without_what_is_left_out(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for name in (*left_out(), "boto3", "google"):
        (missing / name).mkdir(parents=True)
        (missing / name / "__init__.py").write_text(f"raise ModuleNotFoundError('left out', name='{name}')\n")
    installation = Installation(tmp_path / "data")
    installation.environment["PYTHONPATH"] = os.pathsep.join((str(missing), os.environ.get("PYTHONPATH", "")))
    installation.tenant("acme")
    log = tmp_path / "mail.log"
    log.write_text(LINES)

    def asked(*words: str) -> str:
        done = subprocess.run(
            [COMMAND, *words],
            env=installation.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    asked("import", "postfix", str(log), "--workspace", "acme")
    with installation.running("serve"):
        installation.wait_until_ready()
        assert "bob@inbox.example" in asked("log", "--workspace", "acme", "--json")
        assert '"received":1' in asked("stats", "--workspace", "acme", "--json").replace(" ", "").replace("\n", "")
    (installation.data / "mailvane.toml").write_text('[outbound]\nses_provider = "aws"\n')
    refused = subprocess.run(
        [COMMAND, "serve"], env=installation.environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "with its extra 'ses'" in refused.stderr


def test_every_file_that_an_image_takes_is_there(tmp_path: Path) -> None:
    for dockerfile in CONTAINER.rglob("Dockerfile"):
        for source in re.findall(r"^COPY (?!--from)(\S+) ", dockerfile.read_text(), re.MULTILINE):
            assert (ROOT / source).exists(), f"{dockerfile}: {source}"
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    assert {
        (CONTAINER / one["build"]["context"] / one["build"]["dockerfile"]).exists() for one in services.values()
    } == {True}
    mounted = [volume.partition(":")[0] for volume in services["mailvane"]["volumes"] if volume.startswith("./")]
    assert mounted
    assert all((CONTAINER / path).is_file() for path in mounted)
    data = tmp_path / "data"
    installation = Installation(data)
    shutil.copy(CONTAINER / "mailvane.toml", data / "mailvane.toml")
    assert "1 mail log(s) to follow" in installation.run("doctor", succeeds=False).stdout


def test_the_image_asks_for_its_health_what_a_server_answers(tmp_path: Path) -> None:
    found = re.search(r'CMD \["python", "-c", "(.*)"\]', (CONTAINER / "Dockerfile").read_text())
    assert found is not None
    installation = Installation(tmp_path / "data")
    asking = [sys.executable, "-c", found[1].replace("http://127.0.0.1:8225", installation.url)]
    assert subprocess.run(asking, capture_output=True, check=False).returncode != 0
    with installation.serving():
        assert subprocess.run(asking, capture_output=True, check=False).returncode == 0


# As the image is run: `--read-only --tmpfs /tmp`, and a volume for the data. $1: the data, $2: a file elsewhere.
READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
case "$PWD" in /tmp/*) ;; *) mount -t tmpfs tmpfs /tmp ;; esac
if touch "$2" 2>/dev/null; then echo "$2 can be written" >&2; exit 9; fi
shift 2
exec "$@"
"""
USER = 10001
IS_ROOT = os.geteuid() == 0
OWN_MOUNTS = ["unshare", "--mount"] if IS_ROOT else ["unshare", "--map-root-user", "--mount"]
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if IS_ROOT else []


def may_mount() -> bool:
    try:
        return subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_mount(), reason="no mounts of one's own here")
def test_the_user_of_the_image_serves_where_only_the_data_can_be_written() -> None:
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    assert f"--uid {USER}" in dockerfile
    assert f"USER {USER}:{USER}" in dockerfile
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # its user gets there, as not to tmp_path
        home = Path(name)
        home.chmod(0o755)
        installation = Installation(home / "data")
        if IS_ROOT:
            os.chown(installation.data, USER, USER)
        words = [*OWN_MOUNTS, "sh", "-c", READ_ONLY, "sh", str(installation.data), str(home / "elsewhere"), *AS_USER]
        environment = installation.environment | {"HOME": str(installation.data)}
        with (
            (home / "said").open("w+") as said,
            subprocess.Popen(
                [*words, str(COMMAND), "serve"], env=environment, stdout=said, stderr=said, cwd=ROOT
            ) as server,
        ):
            try:
                wait_for(lambda: _answers(installation.url) or server.poll() is not None)
                assert server.poll() is None, (home / "said").read_text()
                made = [*words, str(COMMAND), "workspace", "create", "acme"]
                done = subprocess.run(made, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
                assert done.returncode == 0, done.stderr
            finally:
                server.terminate()
        assert server.returncode == 0, (home / "said").read_text()
        owners = {path.stat().st_uid for path in installation.data.rglob("*")}
        assert owners == {USER if IS_ROOT else os.geteuid()}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.skipif(shutil.which("postconf", path="/usr/sbin:/usr/bin") is None, reason="postfix is not installed")
def test_postfix_knows_every_setting_of_the_image() -> None:
    lines = [line for line in (CONTAINER / "postfix" / "main.cf").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("=")[0].strip() for line in lines]
    assert len(names) == len(set(names))
    known = subprocess.run(
        ["postconf", "-d"], capture_output=True, text=True, check=True, env={"PATH": "/usr/sbin:/usr/bin"}
    )
    unknown = {name for name in names if f"\n{name} =" not in f"\n{known.stdout}"}
    assert unknown <= {"maillog_file_permissions"}, "that one is of Postfix 3.9"


def test_the_image_of_postfix_forgets_the_name_of_the_machine_that_built_it() -> None:
    """Debian's installation writes it down, and mail would be sent, and taken, under that name."""
    text = (CONTAINER / "postfix" / "Dockerfile").read_text()
    forgotten = re.search(r"^RUN postconf -X (.*)$", text, re.MULTILINE)
    assert forgotten is not None
    assert set(forgotten[1].split()) == {"myhostname", "mydestination", "myorigin"}
    assert text.index("apt-get install") < forgotten.start()


@pytest.mark.parametrize("script", ["build", "postinst", "prerm"])
def test_the_scripts_of_the_package_are_shell(script: str) -> None:
    assert subprocess.run(["sh", "-n", str(DEBIAN / script)], check=False).returncode == 0
    assert os.access(DEBIAN / script, os.X_OK)


def test_a_service_that_may_not_write_beside_its_modules_finds_them_compiled(tmp_path: Path) -> None:
    """And nothing is left of that when the package is removed."""
    home = tmp_path / "opt" / "mailvane"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(sys.executable)
    module = home / "lib" / "package" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("ANSWER = 42\n")
    (module.parent / "of_another_python.py").write_text("print 'hello'\n")

    def run(script: str, word: str) -> None:
        text = (DEBIAN / script).read_text().replace("/opt/mailvane", str(home)).replace("/run/systemd", "/nowhere")
        done = subprocess.run(["sh", "-s", word], input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    run("postinst", "configure")
    assert [path.name.partition(".")[0] for path in module.parent.glob("__pycache__/*.pyc")] == ["module"]
    run("prerm", "remove")
    assert not list(home.rglob("__pycache__"))
