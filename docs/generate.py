"""Writes docs/reference/ from the program itself: commands, settings, HTTP routes, metrics, families of reasons.

`python docs/generate.py` writes the pages; the house tests compare them with what it would write now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from prometheus_client import CollectorRegistry, ProcessCollector

from mailvane.core.setting_tables import TableKey
from mailvane.inbound.health.exporting import HealthMetrics
from mailvane.inbound.settings import declared_inbound
from mailvane.notify.metrics import NotificationMetrics
from mailvane.outbound.policy.metrics import PolicyMetrics
from mailvane.outbound.settings import declared_outbound
from mailvane.reputation.alerts.configuration import example_of, parameters_of
from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.texts.evidence import meanings
from mailvane.server.cli import build
from mailvane.server.following import FollowingMetrics
from mailvane.server.http import document
from mailvane.server.mail_metrics import MailMetrics
from mailvane.server.operations import Metrics
from mailvane.server.reputation_metrics import ReputationMetrics
from mailvane.server.settings import (
    declared_health,
    declared_mailboxes,
    declared_mcp,
    declared_oidc,
    declared_reputation,
    declared_settings,
    declared_tracing,
)

REFERENCE = Path(__file__).parent / "reference"


def pages() -> dict[str, str]:
    """File name to content of every generated page."""
    return {
        "commands.md": "".join(_commands()),
        "settings.md": "".join(_settings()),
        "http.md": "".join(_routes()),
        "metrics.md": "".join(_metrics()),
        "rules.md": "".join(_rules()),
    }


def _commands() -> Iterator[str]:
    yield "# Commands\n\nEvery command takes `--help`. Those that print data take `--json`.\n"
    root = typer.main.get_command(build())
    yield from _options_of(root, "mailvane")
    yield from _below(root, "mailvane")


def _below(command: Any, path: str) -> Iterator[str]:
    for name, child in sorted(getattr(command, "commands", {}).items()):
        where = f"{path} {name}"
        if getattr(child, "commands", None):
            yield from _below(child, where)
            continue
        arguments = [(p.metavar or p.name or "").upper() for p in child.params if p.param_type_name == "argument"]
        yield f"\n## `{' '.join([where, *arguments])}`\n\n{(child.help or '').strip()}\n"
        yield from _options_of(child, where)


def _options_of(command: Any, path: str) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            rows.append(((parameter.metavar or parameter.name or "").upper(), "", getattr(parameter, "help", "") or ""))
        elif "--help" not in parameter.opts:
            names = ", ".join(f"`{one}`" for one in [*parameter.opts, *parameter.secondary_opts])
            rows.append((names, _default(parameter), getattr(parameter, "help", "") or ""))
    if rows:
        yield f"\n| {path.rsplit(maxsplit=1)[-1]} | default | meaning |\n|---|---|---|\n"
        yield from (f"| {names} | {default} | {meaning} |\n" for names, default, meaning in rows)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default is False or callable(parameter.default):
        return ""
    return f"`{parameter.default}`"


def _settings() -> Iterator[str]:
    yield (
        "# Settings\n\n"
        "The command line wins over the environment, the environment over the settings file, the file over the"
        " default.\n"
        "The file is TOML: `mailvane.toml` in the data directory, or what `MAILVANE_CONFIG` names. A secret may come"
        " from\n"
        "a file: put `_FILE` behind the variable's name. Unknown names and impossible values are refused at start.\n\n"
        "| name | environment | default | meaning |\n|---|---|---|---|\n"
    )
    for one in declared_settings():
        yield f"| `{one.name}` | `{one.environment}` | {one.default} | {one.help} |\n"
    yield (
        "\nMail logs to follow while `serve` runs, one table each:\n\n"
        '```toml\n[[postfix]]\npath = "/var/log/mail.log"\nworkspace = "acme"   # made if there is none\n'
        "relay = 1            # optional: the first active one\n"
        'timezone = "Europe/Berlin"  # optional: of stamps without one\n\n'
        '[[postfix]]\njournal = "SYSLOG_FACILITY=2"  # in place of a path: entries of journald\n'
        'journal_directory = "/host/journal"  # optional: this machine\'s own\nworkspace = "acme"\n```\n'
    )
    yield (
        "\nHow outgoing mail is governed, in one table that may be left out:\n\n"
        "```toml\n[outbound]\nrequire_verification = true\n\n[outbound.guillotine]\nminimum_volume = 50\n```\n\n"
        "| key of `[outbound]` | default | meaning |\n|---|---|---|\n"
    )
    yield from map(_table_key, declared_outbound())
    yield (
        "\nHow mail is taken in, judged and handed on:\n\n"
        '```toml\n[inbound]\nscore_from = "rspamd"\nquarantine_at = 5\n```\n\n'
        "| key of `[inbound]` | default | meaning |\n|---|---|---|\n"
    )
    yield from map(_table_key, declared_inbound())
    yield (
        "\nHow reputation is watched, and how people are told:\n\n"
        '```toml\n[reputation]\nresolvers = ["127.0.0.1"]\n\n[reputation.mail]\nhost = "smtp.example.net"\n```\n\n'
        "| key of `[reputation]` | default | meaning |\n|---|---|---|\n"
    )
    yield from map(_table_key, declared_reputation())
    yield (
        "\nThe health report:\n\n"
        '```toml\n[health]\nmail_to = ["ops@example.net"]\n\n[[health.teams]]\nname = "acme"\n'
        'url = "https://api.cleanbox.app/v1"\nkey_file = "/etc/mailvane/acme.key"\n```\n\n'
        "| key of `[health]` | default | meaning |\n|---|---|---|\n"
    )
    yield from map(_table_key, declared_health())
    yield "\nHow mailboxes appear:\n\n| key of `[mailboxes]` | default | meaning |\n|---|---|---|\n"
    yield from map(_table_key, declared_mailboxes())
    yield "\nWhat `mailvane mcp` offers to language models:\n\n| key of `[mcp]` | default | meaning |\n|---|---|---|\n"
    yield from map(_table_key, declared_mcp())
    yield (
        "\nHow people log in to the dashboard besides by password:\n\n"
        '```toml\n[oidc]\nissuer = "https://login.example.net/realms/mail"\nclient_id = "mailvane"\n'
        'client_secret_file = "/etc/mailvane/oidc.secret"\n```\n\n'
        "| key of `[oidc]` | default | meaning |\n|---|---|---|\n"
    )
    yield from map(_table_key, declared_oidc())
    yield (
        "\nWhere traces of requests go:\n\n"
        '```toml\n[tracing]\nendpoint = "http://127.0.0.1:4318/v1/traces"\nsample_ratio = 0.1\n```\n\n'
        "| key of `[tracing]` | default | meaning |\n|---|---|---|\n"
    )
    yield from map(_table_key, declared_tracing())


def _table_key(key: TableKey) -> str:
    words = [f"`{one}`" for one in key.choices if one]
    taken = (
        ""
        if all(word in key.help for word in words)
        else f" {'Some' if key.default.startswith('[') else 'One'} of {', '.join(words)}."
    )
    default = f" `{key.default}` " if key.default else " "
    return f"| `{key.name}` |{default}| {key.help}{taken} |\n"


def _routes() -> Iterator[str]:
    yield "# HTTP routes\n\nParameters, bodies and answers are in `/openapi.json` of a running server.\n\n"
    yield "| method | path | purpose |\n|---|---|---|\n"
    for path, methods in sorted(json.loads(document())["paths"].items()):
        for method, told in sorted(methods.items()):
            yield f"| {method.upper()} | `{path}` | {told.get('summary', '')} |\n"
    yield "| GET | `/openapi.json` | This list, for programs |\n"


def _rules() -> Iterator[str]:
    yield (
        "# Rule types of alerts\n\n"
        "An alert has `rules`, a list of objects. Each has a `type`, and the fields of that type, none of which may be"
        " left out;\na `key` where a `formula` names it. Types that begin with `MV_` are not of the vendor. Words for"
        " all stand for what is watched\nof the kind that the type looks at, whichever of them is written; in an alert"
        " with a profile for that of the profile.\n`ONE_MONTH` is 30 days, `ONE_YEAR` 365.\n"
    )
    for name, rule in sorted(CATALOGUE.items()):
        told = meanings().types[name]
        yield f"\n## `{name}`\n\n{told.title}. {told.meaning}\n\n| field | takes |\n|---|---|\n"
        yield from (f"| `{each.name}` | {each.takes} |\n" for each in parameters_of(rule))
        yield f"\n```json\n{json.dumps(example_of(rule))}\n```\n"


def _metrics() -> Iterator[str]:
    yield "# Metrics\n\n`GET /metrics`, in Prometheus' text format.\n\n| name | type | meaning |\n|---|---|---|\n"
    registry = CollectorRegistry()
    Metrics(registry)
    FollowingMetrics(registry)
    PolicyMetrics(registry)
    ReputationMetrics(registry)
    NotificationMetrics(registry)
    HealthMetrics(registry)
    MailMetrics(registry)
    ProcessCollector(registry=registry)
    for metric in sorted(registry.collect(), key=lambda found: found.name):
        suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
        yield f"| `{metric.name}{suffix}` | {metric.type} | {metric.documentation} |\n"


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)
