"""The configuration file over HTTP: the master's alone, as it says what tenants may send. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.errors import NotAllowed
from mailvane.core.tenants.model import KeyKind
from mailvane.server.configuration.changes import LARGEST, Plan
from mailvane.server.configuration.service import Configuration
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Asked, Endpoint, Pool, RouteTable
from mailvane.web.json_body import read_json


@dataclass(frozen=True)
class ConfigurationServices:
    configuration: Configuration


class ConfigReply(msgspec.Struct, frozen=True):
    """The file, without secrets."""

    toml: str


class ConfigBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to compare with."""

    toml: Annotated[str, Meta(max_length=LARGEST)]


class ApplyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to apply; `delete`: what it does not list goes."""

    toml: Annotated[str, Meta(max_length=LARGEST)]
    delete: bool = False


def export(services: ConfigurationServices, asked: Asked) -> ConfigReply:
    _check_master(asked)
    return ConfigReply(services.configuration.export(asked.workspace, asked.now))


def diff(services: ConfigurationServices, asked: Asked) -> Plan:
    _check_master(asked)
    return services.configuration.diff(asked.workspace, read_json(ConfigBody, asked.body).toml, asked.now)


def apply(services: ConfigurationServices, asked: Asked) -> Plan:
    _check_master(asked)
    given = read_json(ApplyBody, asked.body)
    return services.configuration.apply(asked.workspace, given.toml, given.delete, asked.by, asked.now)


def _check_master(asked: Asked) -> None:
    if asked.principal.kind is not KeyKind.MASTER:
        raise NotAllowed("only the master token may do this")


_ROWS = [
    Endpoint("get", "/config", "config_export", "The workspace's configuration as a file", export, ConfigReply),
    Endpoint(
        "post", "/config/diff", "config_diff", "What is not as a file says", diff, Plan, ConfigBody,
        largest=2 * LARGEST, pool=Pool.LENGTHY,
    ),
    Endpoint(
        "post", "/config/apply", "config_apply", "Make it as a file says", apply, Plan, ApplyBody,
        largest=2 * LARGEST, pool=Pool.LENGTHY,
    ),
]  # fmt: skip
ROUTES = RouteTable(_ROWS, ConfigurationServices, NATIVE, ("Native",), NATIVE_PREFIX)
