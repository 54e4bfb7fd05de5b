"""Profiles over HTTP: labels that group alerts and what is watched. Blocking."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidFields, NotFound
from mailvane.core.identifiers import new_id
from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import ProfileBody, read
from mailvane.reputation.model import Profile
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

_LONGEST_NAME = 200


def listed(services: ReputationServices, asked: Asked) -> shape.Rows:
    return shape.Rows([shape.profile(one) for one in services.profiles.profiles(asked.workspace)])


def add(services: ReputationServices, asked: Asked) -> shape.ProfileObject:
    profile = Profile(id=new_id(), workspace=asked.workspace, name=_name(asked.body), created_at=asked.now)
    return shape.profile(services.profiles.add_profile(profile))


def rename(services: ReputationServices, asked: Asked) -> shape.ProfileObject:
    name, wanted = _name(asked.body), asked.path["profile_id"]
    known = next((one for one in services.profiles.profiles(asked.workspace) if one.id == wanted), None)
    if known is None:
        raise NotFound(f"there is no profile {wanted}")
    renamed = msgspec.structs.replace(known, name=name)
    services.profiles.save_profile(renamed)
    return shape.profile(renamed)


def remove(services: ReputationServices, asked: Asked) -> None:
    services.profiles.remove_profile(asked.workspace, asked.path["profile_id"])


def _name(body: bytes) -> str:
    given: ProfileBody = read(ProfileBody, body)
    name = given.name.strip()
    if not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
        raise InvalidFields(("name", f"1 to {_LONGEST_NAME} characters are required"))
    return name
