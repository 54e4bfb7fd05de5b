"""Tokens from a real token server, for both kinds of credentials; and nothing of them in errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import CollectionFailed, InvalidSetting
from mailvane.reputation.sources.postmaster.credentials import SCOPE, read_credentials
from tests.unit.reputation.sources.postmaster.google_server import (
    CLIENT_SECRET,
    REFRESH_TOKEN,
    Google,
    authorized_user,
    service_account,
)
from tests.unit.reputation.sources.vendor_server import Said


@pytest.fixture
def google() -> Iterator[Google]:
    told = Google({})
    with told.server.running():
        yield told


def test_a_service_account_signs_for_its_token(google: Google, tmp_path: Path) -> None:
    credentials = read_credentials(service_account(google.server.url, tmp_path / "x.json"))
    assert credentials.token() == "token-1"
    (grant,) = google.grants
    assert grant["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = msgspec.json.decode(_base64(grant["assertion"][0].split(".")[1]))
    assert (claims["iss"], claims["scope"]) == ("robot@us.example", SCOPE)


def _base64(text: str) -> bytes:
    return msgspec.convert(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), bytes)


def test_a_refresh_token_is_exchanged(google: Google, tmp_path: Path) -> None:
    credentials = read_credentials(authorized_user(google.server.url, tmp_path / "x.json"))
    assert credentials.token() == "token-1"
    assert google.grants[0]["refresh_token"] == [REFRESH_TOKEN]


def test_a_token_is_used_until_it_is_forgotten(google: Google, tmp_path: Path) -> None:
    credentials = read_credentials(authorized_user(google.server.url, tmp_path / "x.json"))
    assert [credentials.token(), credentials.token()] == ["token-1", "token-1"]
    credentials.forget()
    assert credentials.token() == "token-2"


def test_a_refusal_is_told_in_googles_word_and_without_secrets(google: Google, tmp_path: Path) -> None:
    told = {"error": "invalid_grant", "error_description": f"{REFRESH_TOKEN} of {CLIENT_SECRET} was revoked"}
    google.trouble["token"] = google.json(told, 400)
    with pytest.raises(CollectionFailed, match="invalid_grant") as raised:
        read_credentials(authorized_user(google.server.url, tmp_path / "x.json")).token()
    assert REFRESH_TOKEN not in str(raised.value)


def test_an_answer_that_is_no_token_is_an_error(google: Google, tmp_path: Path) -> None:
    google.trouble["token"] = Said("<html>", 400)
    with pytest.raises(CollectionFailed, match="no token"):
        read_credentials(authorized_user(google.server.url, tmp_path / "x.json")).token()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type":"external_account"}',
        '{"type":"service_account"}',
        '{"type":"service_account","client_email":"a","token_uri":"b","private_key":"s3cret"}',
        '{"type":"authorized_user","client_secret":"s3cret"}',
    ],
)
def test_a_file_that_is_none_is_refused_without_showing_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match="postmaster_credentials") as raised:
        read_credentials(str(path))
    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        read_credentials(str(tmp_path / "none.json"))
