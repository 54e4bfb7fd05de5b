"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailvane.core.errors import InvalidSetting
from mailvane.core.listening import Listen, UnixSocket
from mailvane.maillog.settings import PostfixLog
from mailvane.server.settings import declared_settings, load, master_token, shown


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(directory: Path, text: str, name: str = "mailvane.toml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    return directory / name


def refused(command_line: dict[str, str | None] | None = None, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(InvalidSetting) as caught:
        load(command_line or {}, environment or {})
    assert "\n" not in caught.value.message
    return caught.value.message


def test_everything_has_a_default(home: Path) -> None:
    settings = load({}, {"PATH": "/bin"})
    assert settings.data == home / "mailvane-data"
    assert str(settings.http) == "127.0.0.1:8225"
    assert str(settings.policy) == "127.0.0.1:10031"
    assert str(settings.smtp) == "127.0.0.1:10025"
    assert settings.master_token is None
    assert settings.ledger == f"sqlite:///{home}/mailvane-data/ledger.sqlite"
    assert settings.maillog == f"chdb://{home}/mailvane-data/maillog"
    assert settings.timezone == ZoneInfo("UTC")
    assert settings.postfix == ()
    assert not settings.data.exists(), "reading settings makes nothing"


def test_stamps_are_in_the_zone_of_the_machine_unless_another_is_set(home: Path) -> None:
    assert load({}, {"TZ": "Europe/Berlin"}).timezone == ZoneInfo("Europe/Berlin")
    assert load({}, {"TZ": "Europe/Berlin", "MAILVANE_TIMEZONE": "UTC"}).timezone == ZoneInfo("UTC")


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(home: Path) -> None:
    config(home / "mailvane-data", 'http = "127.0.0.1:1"\npolicy = "127.0.0.1:1"\nsmtp = "127.0.0.1:1"\n')
    environment = {"MAILVANE_HTTP": "127.0.0.1:2", "MAILVANE_POLICY": "127.0.0.1:2"}
    settings = load({"http": "127.0.0.1:3", "policy": None}, environment)
    assert [str(each) for each in (settings.http, settings.policy, settings.smtp)] == [
        "127.0.0.1:3",
        "127.0.0.1:2",
        "127.0.0.1:1",
    ]


def test_the_file_lies_in_the_data_directory_or_is_named(home: Path) -> None:
    config(home / "here", 'timezone = "Europe/Berlin"')
    elsewhere = config(home / "etc", 'timezone = "Asia/Tokyo"', "other.toml")
    assert load({"data": "here"}, {}).timezone.key == "Europe/Berlin"
    assert load({"data": "here"}, {"MAILVANE_CONFIG": str(elsewhere)}).timezone.key == "Asia/Tokyo"
    assert load({"config": str(elsewhere)}, {"MAILVANE_CONFIG": "ignored"}).timezone.key == "Asia/Tokyo"
    assert "no file" in refused({}, {"MAILVANE_CONFIG": str(home / "missing.toml")})


def test_paths_in_the_file_are_relative_to_the_file(home: Path) -> None:
    file = config(home / "etc", 'data = "../var"\n[[postfix]]\npath = "mail.log"\nworkspace = "acme"\n')
    settings = load({"config": str(file)}, {})
    assert settings.data == home / "var"
    assert settings.ledger == f"sqlite:///{home}/var/ledger.sqlite"
    assert settings.postfix[0].path == home / "etc" / "mail.log"


def test_postfix_tables_name_logs_and_whose_they_are(home: Path) -> None:
    config(
        home / "mailvane-data",
        """
        [[postfix]]
        path = "/var/log/mail.log"
        workspace = "acme"

        [[postfix]]
        path = "/var/log/other.log"
        workspace = "other"
        relay = 7
        timezone = "Europe/Berlin"
        """,
    )
    assert load({}, {}).postfix == (
        PostfixLog(Path("/var/log/mail.log"), "acme"),
        PostfixLog(Path("/var/log/other.log"), "other", 7, ZoneInfo("Europe/Berlin")),
    )


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('path = "/a"', "workspace is missing"),
        ('workspace = "a"', "path is missing"),
        ('workspace = "a"\njournal = "-f"', "expected matches such as"),
        ('path = "/a"\njournal = "A=b"\nworkspace = "a"', "two logs"),
        ('path = "/a"\njournal_directory = "/b"\nworkspace = "a"', "there is no journal"),
        ('path = "/a"\nworkspace = ""', "workspace: expected text"),
        ('path = 1\nworkspace = "a"', "path: expected text"),
        ('path = "/a"\nworkspace = "a"\nrelay = "7"', "relay: expected the number"),
        ('path = "/a"\nworkspace = "a"\nrelay = 0', "relay: expected the number"),
        ('path = "/a"\nworkspace = "a"\nrelay = true', "relay: expected the number"),
        ('path = "/a"\nworkspace = "a"\ntimezone = "Mars/Olympus"', "timezone: there is no time zone"),
        ('path = "/a"\nworkspace = "a"\nrelais = 1', "did you mean relay?"),
    ],
)
def test_a_postfix_table_that_makes_no_sense_is_refused(home: Path, table: str, complaint: str) -> None:
    config(home / "mailvane-data", f"[[postfix]]\n{table}\n")
    message = refused()
    assert complaint in message
    assert "postfix table 1" in message


def test_a_log_cannot_be_read_twice(home: Path) -> None:
    table = '[[postfix]]\npath = "/var/log/mail.log"\nworkspace = "acme"\n'
    config(home / "mailvane-data", table + table)
    assert "count twice" in refused()


def test_a_single_postfix_table_is_refused(home: Path) -> None:
    config(home / "mailvane-data", '[postfix]\npath = "/a"\nworkspace = "b"\n')
    assert "[[postfix]]" in refused()


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("0.0.0.0:80", Listen("0.0.0.0", 80)),
        ("localhost:0", Listen("localhost", 0)),
        ("[::1]:8225", Listen("::1", 8225)),
    ],
)
def test_addresses_to_listen_on(home: Path, text: str, listen: Listen) -> None:
    settings = load({"http": text}, {})
    assert settings.http == listen
    assert str(settings.http) == text


def test_the_policy_service_may_listen_on_a_socket_of_this_machine(home: Path) -> None:
    settings = load({"policy": "unix:/run/mailvane/policy"}, {})
    assert settings.policy == UnixSocket(Path("/run/mailvane/policy"))
    assert str(settings.policy) == "unix:/run/mailvane/policy"


@pytest.mark.parametrize("text", ["unix:", "unix:policy", "unix:/a\0b"])
def test_a_socket_has_a_whole_path(home: Path, text: str) -> None:
    assert refused({"policy": text}).startswith("--policy: expected a whole path")


@pytest.mark.parametrize(
    "text", ["", "8225", ":8225", "host:", "host:70000", "host:-1", "::1:8225", "a b:1", "h:1:2", "host:\u0661"]
)
def test_impossible_addresses_are_refused(home: Path, text: str) -> None:
    assert refused({}, {"MAILVANE_HTTP": text}).startswith("MAILVANE_HTTP: expected HOST:PORT")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("timezone", "Mars/Olympus", "no time zone"),
        ("timezone", "", "no time zone"),
        ("timezone", "../../etc/passwd", "no time zone"),
        ("timezone", "Europe", "no time zone"),
        ("ledger", "mysql://localhost", "sqlite:// or postgresql://"),
        ("ledger", "/var/lib/ledger.sqlite", "sqlite:// or postgresql://"),
        ("maillog", "http://localhost", "chdb:// or clickhouse:// or clickhouses://"),
        ("maillog", "clickhouse://host:port", "cannot be understood"),
        ("data", "", "expected a directory"),
        ("data", "what?", "question mark"),
        ("master_token", "", "visible ASCII"),
        ("master_token", "two words", "visible ASCII"),
    ],
)
def test_impossible_values_are_refused_with_their_origin(home: Path, name: str, text: str, complaint: str) -> None:
    message = refused({}, {f"MAILVANE_{name.upper()}": text})
    assert message.startswith(f"MAILVANE_{name.upper()}: ")
    assert complaint in message
    assert refused({name: text}).startswith(f"--{name.replace('_', '-')}: ")


def test_a_refused_secret_is_not_repeated(home: Path) -> None:
    assert "geheim" not in refused({}, {"MAILVANE_MASTER_TOKEN": "geheim geheim"})
    assert "geheim" not in refused({}, {"MAILVANE_LEDGER": "mysql://root:geheim@localhost"})


def test_unknown_names_are_refused_wherever_they_stand(home: Path) -> None:
    assert refused({}, {"MAILVANE_HTPP": "x"}) == (
        "MAILVANE_HTPP: there is no such setting; did you mean MAILVANE_HTTP?"
    )
    assert refused({}, {"MAILVANE_http": "x"}).startswith("MAILVANE_http: there is no such setting")
    assert refused({"colour": "x"}) == "colour: there is no such setting"
    file = config(home / "mailvane-data", 'timezome = "UTC"')
    assert refused() == f"{file}: timezome: there is no such setting; did you mean timezone?"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("http = 8225", "http: expected text in quotes"), ("http = ", "Invalid value"), ('http = "x"', "HOST:PORT")],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(home: Path, text: str, complaint: str) -> None:
    file = config(home / "mailvane-data", text)
    message = refused()
    assert message.startswith(f"{file}: ")
    assert complaint in message


def test_secrets_come_from_files(home: Path) -> None:
    (home / "token").write_text("from-a-file\n")
    (home / "ledger").write_text("postgresql://u:p@h/d\n")
    assert load({}, {"MAILVANE_MASTER_TOKEN_FILE": str(home / "token")}).master_token == "from-a-file"
    config(home / "mailvane-data", 'ledger_file = "../ledger"')
    assert load({}, {}).ledger == "postgresql://u:p@h/d"
    both = {"MAILVANE_MASTER_TOKEN_FILE": str(home / "token"), "MAILVANE_MASTER_TOKEN": "x"}
    assert "given already" in refused({}, both)
    assert "cannot read" in refused({}, {"MAILVANE_MASTER_TOKEN_FILE": str(home / "missing")})
    assert "no such setting" in refused({}, {"MAILVANE_HTTP_FILE": str(home / "token")})


def test_the_embedded_mail_log_lies_in_the_data_directory_unless_placed(home: Path) -> None:
    assert load({"maillog": "chdb://", "data": "d"}, {}).maillog == f"chdb://{home}/d/maillog"
    assert load({"maillog": "chdb:///srv/log"}, {}).maillog == "chdb:///srv/log"


def test_what_is_shown_tells_no_secret(home: Path) -> None:
    environment = {
        "MAILVANE_MASTER_TOKEN": "geheim1",
        "MAILVANE_LEDGER": "postgresql://user:geheim2@db.example/ledger?sslpassword=geheim3&sslmode=require",
        "MAILVANE_MAILLOG": "clickhouse://user:geh@e/im4@log.example/mail",
    }
    config(home / "mailvane-data", '[[postfix]]\npath = "/var/log/mail.log"\nworkspace = "acme"\n')
    values = shown(load({}, environment))
    assert "geh" not in str(values)
    assert "eim" not in str(values)
    assert values["ledger"] == "postgresql://user:•••@db.example/ledger?sslpassword=•••&sslmode=require"
    assert values["http"] == "127.0.0.1:8225"
    assert values["postfix 1"] == "path /var/log/mail.log, workspace acme"
    assert "first start" in shown(load({}, {}))["master_token"]


def test_every_setting_says_what_it_is() -> None:
    listed = declared_settings()
    assert [setting.name for setting in listed] == [
        "data",
        "http",
        "policy",
        "smtp",
        "master_token",
        "ledger",
        "maillog",
        "timezone",
    ]
    assert all(setting.help.endswith(".") and setting.default for setting in listed)
    assert listed[4].environment == "MAILVANE_MASTER_TOKEN"


def test_the_master_token_is_made_once_and_kept_from_others(home: Path) -> None:
    settings = load({}, {})
    token = master_token(settings)
    path = home / "mailvane-data" / "master-token"
    assert len(token) >= 40
    assert master_token(settings) == token
    assert path.read_text().strip() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["master-token"]


def test_a_master_token_that_is_set_is_not_stored(home: Path) -> None:
    settings = load({}, {"MAILVANE_MASTER_TOKEN": "mine"})
    assert master_token(settings) == "mine"
    assert not settings.data.exists()


def test_servers_that_start_at_once_agree_on_the_master_token(home: Path) -> None:
    settings = load({}, {})
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(master_token, [settings] * 16))) == 1


def test_a_spoilt_master_token_is_not_used(home: Path) -> None:
    config(home / "mailvane-data", "\n", "master-token")
    with pytest.raises(InvalidSetting, match="holds no token"):
        master_token(load({}, {}))
    with pytest.raises(InvalidSetting, match="cannot use"):
        master_token(load({"data": str(home / "mailvane-data" / "master-token")}, {}))
