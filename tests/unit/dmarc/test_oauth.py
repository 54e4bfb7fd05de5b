"""Access tokens and the mailboxes that are read with them: IMAP by XOAUTH2, Microsoft Graph, Gmail; on real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import google.auth.jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailvane.core.errors import CollectionFailed, InvalidSetting, StoreUnavailable
from mailvane.core.setting_tables import read_parts
from mailvane.dmarc import mailbox
from mailvane.dmarc.intake import Taken
from mailvane.dmarc.mail_apis import ApiMailbox
from mailvane.dmarc.mailbox import Mailbox
from mailvane.dmarc.oauth import AccessTokens, KeptToken, Way, read_oauth_file
from mailvane.dmarc.settings import PART, ImapMailbox
from mailvane.reputation.model import ObservationKind
from tests.unit.dmarc.imap_server import ImapServer
from tests.unit.dmarc.mail_services import MailService

NOW = 1_790_000_000_000
ME = "me@shop.example"
MAILS = tuple(f"Subject: {number}\r\n\r\n{number}\r\n".encode() for number in range(1, 6))


class Kept:
    """As the ledger keeps them."""

    def __init__(self) -> None:
        self.tokens: dict[str, KeptToken] = {}

    def kept_token(self, name: str) -> KeptToken | None:
        return self.tokens.get(name)

    def keep_token(self, token: KeptToken) -> None:
        self.tokens[token.name] = token


class Desk:
    """Takes what arrives."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.reason = ""

    def __call__(self, file: BinaryIO, name: str) -> Sequence[Taken]:
        self.given.append(file.read())
        return [Taken(name=name, reason=self.reason) if self.reason else Taken(name=name, kind=ObservationKind.DMARC)]


class World:
    """A mail service, a file of credentials, a clock."""

    def __init__(self, service: MailService, tmp_path: Path) -> None:
        self.service = service
        self.file = tmp_path / "oauth.json"
        self.now = NOW
        self.kept = Kept()
        self.write(client_id="c", client_secret="S3CRET", refresh_token="first")

    def write(self, **fields: str) -> None:
        self.file.write_text(json.dumps({"token_url": f"{self.service.url}/token", **fields}))

    def tokens(self, way: Way = "imap") -> AccessTokens:
        return AccessTokens(str(self.file), ME, way, self.kept, lambda: self.now)

    def box(self, via: Way, folder: str = "INBOX") -> ApiMailbox:
        settings = ImapMailbox(
            user=ME, via=via, oauth_file=str(self.file), api_url=f"{self.service.url}/{via}", folder=folder
        )
        return ApiMailbox(settings, self.tokens(via))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with MailService(*MAILS).running() as service:
        yield World(service, tmp_path)


def test_a_token_is_asked_for_anew_before_its_end(world: World) -> None:
    tokens = world.tokens()
    assert [tokens.token(), tokens.token()] == ["access-1", "access-1"]
    world.now += 3_600_000 - 120_001
    assert tokens.token() == "access-1"
    world.now += 1
    assert tokens.token() == "access-2"
    assert world.service.forms[0] == {
        "grant_type": "refresh_token", "refresh_token": "first", "client_id": "c", "client_secret": "S3CRET",
    }  # fmt: skip


def test_a_refresh_token_that_is_rotated_is_kept_over_a_restart_until_the_file_has_another(world: World) -> None:
    world.service.rotates = True
    world.tokens().token()
    world.tokens().token()
    assert [each["refresh_token"] for each in world.service.forms] == ["first", "rotated-1"]
    world.service.refresh_tokens.add("second")
    world.write(client_id="c", client_secret="S3CRET", refresh_token="second")
    world.tokens().token()
    world.tokens().token()
    assert [each["refresh_token"] for each in world.service.forms[2:]] == ["second", "rotated-3"]


def test_invalid_grant_says_what_to_do_and_no_secret(world: World) -> None:
    world.service.refresh_tokens = {"another"}
    with pytest.raises(CollectionFailed) as failed:
        world.tokens().token()
    assert (
        "invalid_grant: the refresh token or the grant was revoked or has expired: agree anew" in failed.value.message
    )
    assert "it says: … was revoked" in failed.value.message
    world.service.error = {"error": "invalid_client", "error_description": "S3CRET is wrong"}
    with pytest.raises(CollectionFailed) as failed:
        world.tokens().token()
    assert "invalid_client" in failed.value.message
    assert "S3CRET" not in failed.value.message


@pytest.mark.parametrize(
    ("way", "fields", "form"),
    [
        ("imap", {}, {"grant_type": "client_credentials", "scope": "https://outlook.office365.com/.default"}),
        ("graph", {}, {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}),
        ("graph", {"scope": "mine"}, {"grant_type": "client_credentials", "scope": "mine"}),
        (
            "imap",
            {"refresh_token": "first"},
            {
                "grant_type": "refresh_token",
                "refresh_token": "first",
                "scope": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
            },
        ),
    ],
)
def test_an_application_of_microsoft_asks_for_itself_or_for_a_person(
    world: World, way: Way, fields: dict[str, str], form: dict[str, str]
) -> None:
    world.write(tenant="t", client_id="c", client_secret="s", **fields)
    world.tokens(way).token()
    assert world.service.forms == [{"client_id": "c", "client_secret": "s", **form}]


def test_a_service_account_of_google_speaks_for_the_user(world: World) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    world.write(type="service_account", client_email="robot@project.iam.example", private_key=pem, private_key_id="k")
    world.tokens("gmail").token()
    (form,) = world.service.forms
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    said = google.auth.jwt.decode(form["assertion"], certs=public, verify=False)  # type: ignore[no-untyped-call]
    assert google.auth.jwt.decode_header(form["assertion"])["kid"] == "k"  # type: ignore[no-untyped-call]
    assert said == {
        "iss": "robot@project.iam.example", "sub": ME, "scope": "https://www.googleapis.com/auth/gmail.modify",
        "aud": f"{world.service.url}/token", "iat": NOW // 1000, "exp": NOW // 1000 + 3600,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"client_id": "c"}', "lacks client_secret, refresh_token or tenant"),
        ('{"refresh_token": "r"}', "lacks client_id"),
        ('{"type": "service_account"}', "lacks client_email, private_key"),
        ("[]", "is not JSON of this kind"), ("S3CRET", "is not JSON"), ("\ud800", "is not JSON"),
    ],
)  # fmt: skip
def test_a_file_that_lacks_something_says_what(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "oauth.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(CollectionFailed, match=why):
        read_oauth_file(str(file))
    with pytest.raises(CollectionFailed, match="No such file"):
        read_oauth_file(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("via", ["graph", "gmail"])
def test_unseen_mail_is_handed_in_the_newest_first_and_marked(world: World, via: Way) -> None:
    box, desk = world.box(via), Desk()
    assert box.read(desk) == len(MAILS)
    assert desk.given == list(reversed(MAILS))
    assert (world.service.unread, world.service.marked) == (set(), set())
    assert box.read(desk) == 0
    assert len(world.service.forms) == 1, "a token serves for as long as it lives"
    world.service.unread = {"m1="}
    desk.reason = "no report"
    assert world.box(via, "Reports").read(desk) == 1
    assert world.service.marked == {"m1="}
    with pytest.raises(CollectionFailed, match=r"there is no (folder|label) Nowhere"):
        world.box(via, "Nowhere").read(desk)


@pytest.mark.parametrize("via", ["graph", "gmail"])
def test_a_token_that_is_refused_is_replaced_once(world: World, via: Way) -> None:
    box, desk = world.box(via), Desk()
    box.read(desk)
    world.service.living.clear()
    world.service.unread = {"m2="}
    assert box.read(desk) == 1
    assert len(world.service.forms) == 2
    world.service.living = {"nothing"}
    world.service.error = {"error": "invalid_grant"}
    with pytest.raises(CollectionFailed, match=f"the mailbox {ME} by .* cannot be read: .*invalid_grant"):
        box.read(desk)


@pytest.mark.parametrize("via", ["graph", "gmail"])
def test_what_is_not_durable_stays_unseen_and_what_is_too_large_is_refused(
    world: World, via: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_file: BinaryIO, _name: str) -> Sequence[Taken]:
        raise StoreUnavailable

    box, refused = world.box(via), list[str]()
    with pytest.raises(StoreUnavailable):
        box.read(away)
    assert len(world.service.unread) == len(MAILS)
    monkeypatch.setattr(mailbox, "MOST_BYTES", 5)
    assert box.read(Desk(), refused.extend) == len(MAILS)
    assert "message m5=: more than 5 bytes" in refused
    assert world.service.marked == set(world.service.messages)


@pytest.mark.parametrize("via", ["graph", "gmail"])
def test_trouble_of_the_api_is_said_without_the_token(world: World, via: Way) -> None:
    message = "access-1 may not do this"
    world.service.trouble = (403, {"error": {"code": "ErrorAccessDenied", "message": message}})
    with pytest.raises(CollectionFailed, match="status 403 ErrorAccessDenied … may not do this"):
        world.box(via).read(Desk())


def test_a_status_that_google_says_in_its_answer_again_is_said_once(world: World) -> None:
    world.service.trouble = (403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no delegation"}})
    with pytest.raises(CollectionFailed, match="status 403 PERMISSION_DENIED no delegation"):
        world.box("gmail").read(Desk())


def test_a_page_elsewhere_is_not_asked(world: World) -> None:
    with MailService().running() as elsewhere:
        world.service.next_page_elsewhere = elsewhere.url
        with pytest.raises(CollectionFailed, match="a next page elsewhere"):
            world.box("graph").read(Desk())
        assert elsewhere.asked == []


def test_a_message_that_went_away_is_passed_over(world: World) -> None:
    for via in ("graph", "gmail"):
        desk = Desk()

        def gone(file: BinaryIO, name: str, desk: Desk = desk) -> Sequence[Taken]:
            world.service.messages.pop("m1=", None)
            return desk(file, name)

        world.service.unread = set(world.service.messages)
        assert world.box(via).read(gone) == 4


def imap_box(world: World, server: ImapServer) -> Mailbox:
    settings = ImapMailbox(host="127.0.0.1", port=server.port, security="none", user=ME, oauth_file=str(world.file))
    return Mailbox(settings, tokens=world.tokens())


def test_imap_is_opened_by_xoauth2_and_with_a_new_token_when_one_is_refused(world: World) -> None:
    with ImapServer(*MAILS).running() as server:
        server.token = "access-1"
        box, desk = imap_box(world, server), Desk()
        assert box.read(desk) == len(MAILS)
        assert server.authenticated == [f"user={ME}\x01auth=Bearer access-1\x01\x01"]
        server.token = "access-2"
        server.seen = {101, 102, 103, 104}
        assert box.read(desk) == 1
        assert [each.partition("Bearer ")[2].strip("\x01") for each in server.authenticated[1:]] == [
            "access-1",
            "access-2",
        ]


def test_an_account_that_imap_does_not_know_is_said_without_the_token(world: World) -> None:
    with ImapServer(*MAILS).running() as server:
        server.token = "none of these"
        with pytest.raises(CollectionFailed) as failed:
            imap_box(world, server).read(Desk())
        assert f"the mailbox {ME}@127.0.0.1 cannot be opened" in failed.value.message
        assert "access-" not in failed.value.message
        world.service.error = {"error": "invalid_grant"}
        with pytest.raises(CollectionFailed, match="cannot be opened: the token server gives no token: invalid_grant"):
            imap_box(world, server).read(Desk())


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"via": "graph", "user": ME}, "needs user and oauth_file"),
        ({"via": "gmail", "oauth_file": "/x"}, "needs user and oauth_file"),
        ({"oauth_file": "/x", "password_file": "/y"}, "one of them is enough"),
        ({"api_url": "file:///x"}, "https://"),
        ({"via": "pop3"}, "via"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        read_parts({"reports_mailbox": given}, "file", (PART,))
