"""The settings: each with its name, type, default and help, declared once, in `Settings`.

The command line wins over the environment (`MAILVANE_*`), which wins over the TOML file, which wins over the default.
Whatever is unknown or impossible is refused with one line. This module reads settings; it starts nothing.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core import oidc_settings as oidc_config
from mailvane.core import tracing_settings as tracing_config
from mailvane.core.errors import InvalidSetting
from mailvane.core.listening import Listen, UnixSocket, read_listen, read_listen_or_socket
from mailvane.core.machine_zone import machine_zone
from mailvane.core.oidc_settings import OidcSettings
from mailvane.core.setting_tables import TableKey, beside, check_name, declared_parts, read_parts, time_zone
from mailvane.core.tracing_settings import TracingSettings
from mailvane.dmarc import settings as dmarc_config
from mailvane.dmarc.settings import DmarcSettings
from mailvane.inbound.health import settings as health_config
from mailvane.inbound.health.settings import HealthSettings
from mailvane.inbound.settings import InboundSettings, read_inbound
from mailvane.mailboxes import settings as mailboxes_config
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.maillog.settings import PostfixLog, read_postfix_logs
from mailvane.notify import settings as notify_config
from mailvane.notify.settings import NotifySettings
from mailvane.outbound.settings import OutboundSettings, read_outbound
from mailvane.reputation import settings as reputation_config
from mailvane.reputation.settings import ReputationSettings
from mailvane.server.mcp import settings as mcp_config
from mailvane.server.mcp.settings import McpSettings

ENVIRONMENT_PREFIX = "MAILVANE_"
CONFIG_FILE = "mailvane.toml"
SMTP_DEFAULT = "127.0.0.1:10025"
TOKEN_FILE = "master-token"  # noqa: S105 - the name of a file
_TOKEN_BYTES = 32
_MASK = "•••"
# Three rooms share this table: monitored assets, reports about one's mail, and notifications.
_REPUTATION = (reputation_config.PART, dmarc_config.PART, notify_config.PART)


_TABLES = ("postfix", "outbound", "reputation", "health", "mailboxes", "inbound", "mcp", "oidc", "tracing")


class Declared(NamedTuple):
    """What is known of a setting besides its name and type."""

    help: str
    read: Callable[[str], Any]
    default: str | None = None
    otherwise: str = ""  # for people: what holds when there is neither a value nor a default
    secret: bool = False  # may hold a password: masked when shown, and can be read from a file (`NAME_FILE`)


def _path(text: str) -> Path:
    if not text.strip():
        raise InvalidSetting("expected a directory")
    if "?" in text or "\0" in text:
        raise InvalidSetting("a question mark or NUL cannot stand in the path: it becomes part of addresses")
    return Path(os.path.normpath(Path(text).expanduser().absolute()))


def _address(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if "://" not in text or text.partition("://")[0] not in schemes:
            expected = " or ".join(f"{each}://" for each in schemes)
            raise InvalidSetting(f"expected an address that begins with {expected}")
        try:
            _ = urlsplit(text).port
        except ValueError:
            raise InvalidSetting("the address cannot be understood") from None
        return text

    return read


def _token(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidSetting("expected visible ASCII characters without spaces")
    return text


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration."""

    data: Annotated[
        Path,
        Declared("Directory that holds everything Mailvane keeps.", _path, "./mailvane-data"),
    ]
    http: Annotated[
        Listen,
        Declared("Address of the APIs and the dashboard.", read_listen, "127.0.0.1:8225"),
    ]
    policy: Annotated[
        Listen | UnixSocket,
        Declared(
            "Address of the Postfix policy service; or unix:/path/to/socket.", read_listen_or_socket, "127.0.0.1:10031"
        ),
    ]
    smtp: Annotated[
        Listen,
        Declared("Address of the SMTP gateway, which takes mail in.", read_listen, SMTP_DEFAULT),
    ]
    master_token: Annotated[
        str | None,
        Declared(
            "Key that opens everything.",
            _token,
            otherwise=f"made at the first start and kept in {TOKEN_FILE} in the data directory",
            secret=True,
        ),
    ] = None
    ledger: Annotated[
        str,
        Declared(
            "Where small, changing state is kept: sqlite:////path/to/file or postgresql://user@host/database.",
            _address("sqlite", "postgresql"),
            otherwise="SQLite in the data directory",
            secret=True,
        ),
    ]
    maillog: Annotated[
        str,
        Declared(
            "Where mail events are kept: chdb:// (embedded), clickhouse://user@host/database or, with TLS, clickhouses://.",
            _address("chdb", "clickhouse", "clickhouses"),
            otherwise="chdb:// in the data directory",
            secret=True,
        ),
    ]
    timezone: Annotated[
        ZoneInfo,
        Declared(
            "Time zone of stamps that name none, read or shown.",
            time_zone,
            otherwise="that of this machine: TZ, /etc/localtime or /etc/timezone; UTC when none of them names one",
        ),
    ]
    config: Path | None = None  # the file that they were read from; None: there is none
    postfix: tuple[PostfixLog, ...] = ()
    outbound: OutboundSettings = OutboundSettings()
    reputation: ReputationSettings = ReputationSettings()
    dmarc: DmarcSettings = DmarcSettings()
    notify: NotifySettings = NotifySettings()
    health: HealthSettings = HealthSettings()
    mailboxes: MailboxSettings = MailboxSettings()
    inbound: InboundSettings = InboundSettings()
    mcp: McpSettings = McpSettings()
    oidc: OidcSettings = OidcSettings()
    tracing: TracingSettings = TracingSettings()


class Setting(NamedTuple):
    """A setting, for whoever lists them all."""

    name: str
    environment: str
    default: str
    help: str


def declared_settings() -> list[Setting]:
    """Every setting, in the order in which people should read of them."""
    return [
        Setting(name, _variable(name), declared.default or declared.otherwise, declared.help)
        for name, declared in _DECLARED.items()
    ]


def declared_reputation() -> list[TableKey]:
    """Every key of `[reputation]`, in the order in which people should read of them."""
    return declared_parts(_REPUTATION)


def declared_health() -> list[TableKey]:
    """Every key of `[health]`, in the order in which people should read of them."""
    return declared_parts((health_config.PART,))


def declared_mailboxes() -> list[TableKey]:
    """Every key of `[mailboxes]`."""
    return declared_parts((mailboxes_config.PART,))


def declared_mcp() -> list[TableKey]:
    """Every key of `[mcp]`."""
    return declared_parts((mcp_config.PART,))


def declared_oidc() -> list[TableKey]:
    """Every key of `[oidc]`."""
    return declared_parts((oidc_config.PART,))


def declared_tracing() -> list[TableKey]:
    """Every key of `[tracing]`."""
    return declared_parts((tracing_config.PART,))


def load(command_line: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The effective settings. `command_line` maps names of settings (and `config`) to what was given, if anything.

    Raises InvalidSetting with one line that says which setting, where, and what is expected.
    """
    given = {name: text for name, text in command_line.items() if text is not None}
    for name in given:
        check_name(name, [*_names(), "config"], "setting")
    found = _from_environment(environment) | _resolved(
        {name: _Given(text, f"--{name.replace('_', '-')}") for name, text in given.items()}
    )
    config = found.pop("config", None)
    data = _read("data", found.get("data"))
    path = data / CONFIG_FILE if config is None else Path(config.text).expanduser()
    there = _is_there(path)
    if config is not None and not there:
        raise InvalidSetting(f"{config.origin}: there is no file {path}")
    filed, tables = _from_file(path) if there else ({}, {})
    values = {name: _read(name, (filed | found).get(name)) for name in _DECLARED}
    values["timezone"] = values["timezone"] or machine_zone(environment)
    # The stores that nobody placed elsewhere lie in the data directory.
    data = values["data"]
    ledger = values["ledger"] or f"sqlite:///{data / 'ledger.sqlite'}"
    maillog = values["maillog"]
    if maillog in (None, "chdb://", "chdb:///"):
        maillog = f"chdb://{data / 'maillog'}"
    places = {"ledger": ledger, "maillog": maillog, "config": path if there else None}
    return Settings(**values | places, **tables)


def shown(settings: Settings) -> dict[str, str]:
    """The effective configuration to show: tokens and passwords are masked."""
    values = {name: _shown(declared, getattr(settings, name)) for name, declared in _DECLARED.items()}
    for number, table in enumerate(settings.postfix, 1):
        fields = ((name, getattr(table, name)) for name in PostfixLog.__struct_fields__)
        values[f"postfix {number}"] = ", ".join(f"{name} {value}" for name, value in fields if value is not None)
    values |= _changed("outbound", settings.outbound) | _changed("inbound", settings.inbound)
    for part in (settings.reputation, settings.dmarc, settings.notify):
        values |= _changed("reputation", part)
    values |= _changed("mailboxes", settings.mailboxes) | _changed("oidc", settings.oidc)
    values |= _changed("tracing", settings.tracing)
    if settings.notify.heartbeat_url:  # whoever knows it can say that all is well
        values["reputation.heartbeat_url"] = f"{_MASK} at {urlsplit(settings.notify.heartbeat_url).hostname}"
    return values | _changed("health", settings.health) | _hidden(settings.health)


def fingerprints(settings: Settings) -> dict[str, str]:
    """A short hash of each setting as it is shown, to find out whether a server runs with these."""
    return {name: sha256(text.encode()).hexdigest()[:12] for name, text in shown(settings).items()}


def _hidden(health: HealthSettings) -> dict[str, str]:
    """Of teams only the names, as their keys are secrets; of the address of InfluxDB the host, for the same reason."""
    hidden = {}
    if health.teams:
        hidden["health.teams"] = ", ".join(team.name for team in health.teams)
    if health.influx_url:
        hidden["health.influx_url"] = f"{_MASK} at {urlsplit(health.influx_url).hostname}"
    return hidden


def _changed(table: str, given: msgspec.Struct) -> dict[str, str]:
    defaults = type(given)()
    return {
        f"{table}.{name}": msgspec.json.encode(getattr(given, name)).decode()
        for name in given.__struct_fields__
        if getattr(given, name) != getattr(defaults, name)
    }


def master_token(settings: Settings) -> str:
    """The master token; made when there is none yet. Processes that start at once all get the same."""
    if settings.master_token is not None:
        return settings.master_token
    path = settings.data / TOKEN_FILE
    try:
        if not path.exists():
            _make_token(path)
        return _token(path.read_text("ascii").strip())
    except (InvalidSetting, UnicodeDecodeError):
        raise InvalidSetting(f"master_token: {path} holds no token; remove it to have one made") from None
    except OSError as error:
        raise InvalidSetting(f"master_token: cannot use {path}: {error.strerror}") from None


def _make_token(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # has mode 600 from the start
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"mk_{secrets.token_urlsafe(_TOKEN_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole and only once: nobody reads half a token, and nobody's token is replaced.
        Path(path).hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        Path(draft).unlink()


class _Given(NamedTuple):
    """A value as it was written, and how people find the place."""

    text: str
    origin: str


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def _names() -> list[str]:
    return [*_DECLARED, *(f"{name}_file" for name, declared in _DECLARED.items() if declared.secret)]


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Given]:
    names = {_variable(name): name for name in [*_names(), "config"]}
    given = {name: text for name, text in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}
    for variable in given:
        check_name(variable, names, "setting")
    return _resolved({names[variable]: _Given(text, variable) for variable, text in given.items()})


def _is_there(path: Path) -> bool:
    """Also when it is no file, which is said when it is read. A directory that cannot be looked into is an error."""
    try:
        return path.exists()
    except OSError as error:
        raise InvalidSetting(f"{path}: {error.strerror}") from None


def _from_file(path: Path) -> tuple[dict[str, _Given], dict[str, Any]]:
    """The settings of the file, and what its tables say."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path}: {error}") from None
    except OSError as error:
        raise InvalidSetting(f"{path}: {error.strerror}") from None
    reputation, dmarc, notify = read_parts(content.pop("reputation", {}), f"{path}: reputation", _REPUTATION)
    (health,) = read_parts(content.pop("health", {}), f"{path}: health", (health_config.PART,))
    (mailboxes,) = read_parts(content.pop("mailboxes", {}), f"{path}: mailboxes", (mailboxes_config.PART,))
    (mcp,) = read_parts(content.pop("mcp", {}), f"{path}: mcp", (mcp_config.PART,))
    (oidc,) = read_parts(content.pop("oidc", {}), f"{path}: oidc", (oidc_config.PART,))
    (tracing,) = read_parts(content.pop("tracing", {}), f"{path}: tracing", (tracing_config.PART,))
    tables = {
        "postfix": read_postfix_logs(path, content.pop("postfix", [])),
        "outbound": read_outbound(content.pop("outbound", {}), f"{path}: outbound"),
        "reputation": reputation,
        "dmarc": dmarc,
        "notify": notify,
        "health": health,
        "mailboxes": mailboxes,
        "mcp": mcp,
        "oidc": oidc,
        "tracing": tracing,
        "inbound": read_inbound(content.pop("inbound", {}), f"{path}: inbound"),
    }
    given = {}
    for name, value in content.items():
        check_name(name, [*_names(), *_TABLES], "setting", f"{path}: ")
        if not isinstance(value, str):
            raise InvalidSetting(f"{path}: {name}: expected text in quotes")
        text = str(beside(path, value)) if name == "data" or name.endswith("_file") else value
        given[name] = _Given(text, f"{path}: {name}")
    return _resolved(given), tables


def _resolved(given: dict[str, _Given]) -> dict[str, _Given]:
    """Replace each `NAME_file` by the secret that the file holds."""
    found = {name: each for name, each in given.items() if name in _DECLARED or name == "config"}
    for name, each in given.items():
        if name in found:
            continue
        target = name.removesuffix("_file")
        if target in found:
            raise InvalidSetting(f"{each.origin}: {target} is given already by {found[target].origin}")
        try:
            found[target] = _Given(Path(each.text).expanduser().read_text("utf-8").strip(), each.origin)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise InvalidSetting(f"{each.origin}: cannot read {each.text}: {reason}") from None
    return found


def _read(name: str, given: _Given | None) -> Any:
    declared = _DECLARED[name]
    if given is None:
        return None if declared.default is None else declared.read(declared.default)
    try:
        return declared.read(given.text)
    except InvalidSetting as error:
        raise InvalidSetting(f"{given.origin}: {error.message}") from None


def _shown(declared: Declared, value: Any) -> str:
    if value is None:
        return f"({declared.otherwise})"
    if not declared.secret:
        return str(value)
    if "://" not in str(value):
        return _MASK
    # A password may also be given as a parameter of the address.
    masked = re.sub(r"(://[^:/@]*:).*@", rf"\1{_MASK}@", str(value))
    return re.sub(r"([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&]*", rf"\1{_MASK}", masked, flags=re.IGNORECASE)


_DECLARED: dict[str, Declared] = {
    name: declared
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    for declared in getattr(hint, "__metadata__", ())
    if isinstance(declared, Declared)
}


def base_url(settings: Settings) -> str:
    """Where this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http.host, settings.http.host)  # noqa: S104
    return f"http://{Listen(host, settings.http.port)}"
