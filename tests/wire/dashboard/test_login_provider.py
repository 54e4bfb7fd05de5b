"""Logging in by an OpenID Connect provider that runs here: who comes in, who does not, and every lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import msgspec
import pytest
from joserfc.jwk import OctKey, RSAKey
from litestar.testing import TestClient

from mailvane.core.egress import EgressGuard
from mailvane.core.errors import InvalidSetting
from mailvane.core.moments import HOUR_MS, MINUTE_MS
from mailvane.core.oidc_settings import PART, OidcSettings
from mailvane.core.setting_tables import read_parts
from mailvane.dashboard.oidc.attempt import HOME, Attempt, begun, local_path, read_attempt
from mailvane.dashboard.oidc.model import Admission
from mailvane.dashboard.oidc.provider import OidcProvider
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.people.service import Browser
from tests.wire.applications import application
from tests.wire.dashboard.login_provider import CLIENT, SECRET, LocalProvider
from tests.wire.world import NOW, World, opened

ANN = "ann@x.example"
CALLBACK = "/ui/login/oidc/callback"
BROWSER = Browser("192.0.2.1", "a test")
MEMBERS = Admission(role=Role.OPERATOR, workspace="ours", domains=("x.example",))


class Site:
    """The dashboard, and a browser that keeps its cookies and follows nothing by itself."""

    def __init__(self, world: World, provider: LocalProvider, secret: Path, admission: Admission | None = None) -> None:
        self.now = NOW
        settings = OidcSettings(
            issuer=provider.issuer, client_id=CLIENT, client_secret_file=str(secret), name="Example Login"
        )
        self.people, self.provider = world.services.dashboard.people, provider
        oidc = OidcProvider(settings, EgressGuard(("127.0.0.1",)))
        dashboard = replace(world.services.dashboard, oidc=oidc, admission=admission)
        self._app = application(replace(world.services, dashboard=dashboard, clock=lambda: self.now))
        self.cookies: dict[str, str] = {}

    def __enter__(self) -> Site:
        self._client = TestClient(self._app.__enter__(), raise_server_exceptions=False)
        self._client.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._client.__exit__(*raised)
        self._app.__exit__(*raised)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self._asked("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self._asked("POST", path, form)

    def _asked(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        self._client.cookies.clear()
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)
        headers = {"host": "localhost", "sec-fetch-site": "same-origin", **({"cookie": cookie} if cookie else {})}
        answer = self._client.request(method, path, data=form, headers=headers, follow_redirects=False)
        for said in answer.headers.get_list("set-cookie"):
            name, value = re.match("([^=]+)=([^;]*)", said).groups()  # type: ignore[union-attr]
            self.cookies[name] = value.strip('"')
        return answer

    def begun(self, **query: str) -> dict[str, str]:
        """As far as the provider: what it sends the browser back with."""
        answer = self.get("/ui/login/oidc", **query)
        assert answer.status_code == 303, answer.text
        return self.provider.logged_in(answer.headers["location"])

    def logged_in(self, **query: str) -> httpx.Response:
        return self.get(CALLBACK, **self.begun(**query))

    def is_in(self) -> bool:
        return self.get("/ui/workspaces").status_code == 200


@pytest.fixture(scope="module")
def provider() -> Iterator[LocalProvider]:
    with LocalProvider(NOW // 1000).running() as running:
        yield running


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("oidc") / "secret"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture(scope="module")
def known_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("world")) as world:
        world.services.dashboard.people.set_role(world.ours.workspace.id, ANN, Role.VIEWER, NOW)
        yield world


@pytest.fixture
def site(known_world: World, provider: LocalProvider, secret: Path) -> Iterator[Site]:
    """A provider that is right again, and a browser without cookies."""
    provider.__dict__.update(wrong={}, userinfo={}, metadata={}, unsigned=False, algorithm="RS256", asked=[])
    provider.signing = provider.keys[0]
    provider.claims = {"sub": "ann-1", "email": "Ann@X.example", "email_verified": True}
    with Site(known_world, provider, secret) as made:
        yield made


def test_a_known_person_comes_in_by_the_verified_address_and_then_by_subject(site: Site) -> None:
    assert "Log in with Example Login" in site.get("/ui/login").text
    answer = site.logged_in(next="/ui/1/log?q=is:failing")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/1/log?q=is:failing")
    assert site.cookies["mailvane-login"] == ""
    assert ANN in site.get("/ui/account").text
    assert site.post("/ui/1/settings/relays", comment="x").status_code == 403, "no more than the role"
    site.cookies.clear()
    site.provider.claims = {"sub": "ann-1"}  # the address is not needed any more
    assert site.logged_in().headers["location"] == HOME
    assert ANN in site.get("/ui/account").text
    site.cookies.clear()
    site.provider.claims = {"sub": "eve-2", "email": ANN, "email_verified": True}  # who got the address later
    assert "is known to the login provider as somebody else" in site.logged_in().text
    assert not site.is_in()


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": [CLIENT, "another"]}, {"azp": "another"},
        {"iss": "http://evil.example"}, {"iss": None}, {"exp": NOW // 1000 - 61}, {"exp": None}, {"exp": "soon"},
        {"iat": NOW // 1000 + 600}, {"nbf": NOW // 1000 + 600}, {"sub": ""}, {"sub": None}, {"sub": 1},
        {"sub": "x" * 256}, {"sub": "ann\0"}, {"at_hash": "wrong"},
    ],
    ids=str,
)  # fmt: skip
def test_an_id_token_that_is_wrong_in_one_point_opens_nothing(site: Site, wrong: dict[str, Any]) -> None:
    site.provider.wrong = wrong
    answer = site.logged_in()
    assert answer.status_code == 403
    assert "not one that proves who you are" in answer.text
    assert not site.is_in()


@pytest.mark.parametrize("lie", ["none", "hmac", "own key", "unknown key"])
def test_a_signature_that_is_not_by_a_key_of_the_provider_opens_nothing(site: Site, lie: str) -> None:
    provider = site.provider
    if lie == "none":
        provider.unsigned = True
    elif lie == "hmac":  # by what is no secret of the provider
        provider.signing, provider.algorithm = OctKey.import_key(SECRET * 4), "HS256"
    else:
        kid = "one" if lie == "own key" else "two"
        provider.signing = RSAKey.generate_key(2048, {"kid": kid})
    assert site.logged_in().status_code == 403
    assert not site.is_in()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sub": "bob-1", "email": ANN, "email_verified": False}, "vouches for no e-mail address"),
        ({"sub": "bob-1", "email": ANN}, "vouches for no e-mail address"),
        ({"sub": "bob-1", "email": "admin", "email_verified": True}, "vouches for no e-mail address"),
        ({"sub": "bob-1", "email": [ANN], "email_verified": True}, "vouches for no e-mail address"),
        ({"sub": "bob-1"}, "vouches for no e-mail address"),
        ({"sub": "bob-1", "email": "bob@x.example", "email_verified": True}, "there is nobody named bob@x.example"),
    ],
    ids=str,
)
def test_who_is_not_known_by_a_verified_address_is_refused(site: Site, claims: dict[str, Any], reason: str) -> None:
    site.provider.claims = claims
    answer = site.logged_in()
    assert answer.status_code == 403
    assert reason in answer.text
    assert not site.is_in()


def test_an_answer_counts_once_in_the_browser_that_asked_and_soon(site: Site) -> None:
    given = site.begun()
    kept = dict(site.cookies)
    assert site.get(CALLBACK, code=given["code"], state="another").status_code == 403
    assert site.get(CALLBACK, code=given["code"]).status_code == 403
    site.cookies.clear()
    assert "was not begun in this browser" in site.get(CALLBACK, **given).text, "a stolen answer"
    site.cookies = dict(kept)
    site.now = NOW + 10 * MINUTE_MS
    assert "took too long" in site.get(CALLBACK, **given).text
    site.now = NOW
    assert site.get(CALLBACK, **given, iss="http://evil.example").status_code == 403  # RFC 9207
    assert site.get(CALLBACK, **given, iss=site.provider.issuer).status_code == 303
    site.cookies = dict(kept)
    assert site.get(CALLBACK, **given).status_code == 403, "the same code again"
    assert not site.is_in()


def test_what_the_provider_says_instead_of_a_code_is_told_in_its_word_alone(site: Site) -> None:
    state = site.begun()["state"]
    assert "did not log you in: access_denied" in site.get(CALLBACK, state=state, error="access_denied").text
    answer = site.get(CALLBACK, state=state, error="<b>call 0800</b>", error_description="call")
    assert answer.status_code == 403
    assert "call" not in answer.text


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "/ui/\\evil.example", "javascript:alert(1)",
        "/ui", "/mailvane/v1/keys", "/ui/\r\nSet-Cookie: a=b", "/ui/" + "x" * 1000, "",
    ],
    ids=repr,
)  # fmt: skip
def test_a_login_leads_to_a_page_of_ours_only(to: str) -> None:
    assert local_path(to) == HOME
    attempt = begun("/ui/1", NOW, again=False)
    forged = msgspec.structs.replace(attempt, back=to).text()
    assert read_attempt(forged, NOW) == msgspec.structs.replace(attempt, back=HOME)


@pytest.mark.parametrize("text", ["", "x", "e30", "é", "e30=", "bnVsbA", Attempt("", NOW, "", again=False).text()])
def test_a_cookie_that_is_none_of_ours_is_no_attempt(text: str) -> None:
    assert read_attempt(text, NOW) is None


def test_nobody_reads_the_state_out_of_the_nonce_or_the_verifier() -> None:
    attempt, other = begun("", NOW, again=False), begun("", NOW, again=False)
    made = [attempt.state, attempt.nonce, attempt.verifier, other.state, other.nonce, other.verifier]
    assert len(set(made)) == 6
    assert {len(each) for each in made} == {43}  # RFC 7636, 4.1: 43 to 128


def test_a_first_login_makes_a_member_only_where_the_settings_say_so(
    known_world: World, provider: LocalProvider, secret: Path, site: Site
) -> None:
    with Site(known_world, provider, secret, MEMBERS) as admitting:
        provider.claims = {"sub": "eve-1", "email": "eve@evil.example", "email_verified": True}
        assert admitting.logged_in().status_code == 403
        provider.claims = {"sub": "new-1", "email": "New@X.Example", "email_verified": "true"}
        assert admitting.logged_in().status_code == 303
        roles = {user.name: member.role for user, member in admitting.people.members(known_world.ours.workspace.id)}
        assert roles == {ANN: Role.VIEWER, "new@x.example": Role.OPERATOR}
        assert admitting.get(f"/ui/{known_world.theirs.workspace.id}").status_code == 404
    with Site(known_world, provider, secret, msgspec.structs.replace(MEMBERS, workspace="gone")) as wrong:
        provider.claims = {"sub": "late-1", "email": "late@x.example", "email_verified": True}
        assert "no workspace gone" in wrong.logged_in().text
        assert not wrong.is_in()


def test_the_address_may_be_told_by_the_userinfo_endpoint_of_the_same_person(site: Site) -> None:
    site.provider.claims = {"sub": "ann-1"}
    ann = site.people.enter_by_link(site.people.login_link(ANN, NOW), BROWSER, NOW)
    site.people.forget_identity(site.people.visitor(ann.token, NOW), NOW)
    site.provider.userinfo = {"sub": "eve", "email": ANN, "email_verified": True}
    assert site.logged_in().status_code == 403
    site.provider.userinfo = {"sub": "ann-1", "email": ANN, "email_verified": True}
    assert site.logged_in().status_code == 303
    assert site.provider.asked[-1] == "/realm/userinfo_endpoint"


def test_who_has_no_password_proves_by_the_provider_who_it_is(site: Site) -> None:
    site.provider.claims = {"sub": "ann-1", "email": ANN, "email_verified": True}
    site.logged_in()
    old = site.cookies["mailvane"]
    site.now = NOW + HOUR_MS
    site.provider.now += 3600
    try:
        asked = site.post("/ui/account/identity/forget")
        assert asked.status_code == 403
        assert "Prove it with Example Login" in asked.text
        site.provider.wrong = {"auth_time": NOW // 1000}  # an hour ago: nobody was asked anew
        assert site.logged_in(next="/ui/account").status_code == 403
        site.provider.wrong = {"auth_time": None}
        assert site.logged_in(next="/ui/account").status_code == 403
        site.provider.wrong = {}
        assert site.logged_in(next="/ui/account").headers["location"] == "/ui/account"
        assert site.post("/ui/account/identity/forget").status_code == 303
        site.cookies = {"mailvane": old}
        assert not site.is_in(), "the session before is over"
    finally:
        site.provider.now -= 3600


def test_keys_that_the_provider_changes_are_asked_for_again_but_not_for_every_forgery(site: Site) -> None:
    provider = site.provider
    site.logged_in()
    kept = provider.keys
    provider.keys = [RSAKey.generate_key(2048, {"kid": "three"})]
    provider.signing = provider.keys[0]
    try:
        asked = provider.asked.count("/realm/jwks_uri")
        site.cookies.clear()
        assert site.logged_in().status_code == 403, "within a minute of the last time"
        assert provider.asked.count("/realm/jwks_uri") == asked
        site.now = NOW + 2 * MINUTE_MS
        site.cookies.clear()
        assert site.logged_in().status_code == 303
    finally:
        provider.keys = kept


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "http://evil.example"},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"jwks_uri": "http://169.254.169.254/latest"},
        {"jwks_uri": "https://10.0.0.1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
def test_a_discovery_document_leads_nowhere_else(site: Site, metadata: dict[str, Any]) -> None:
    site.provider.metadata = metadata
    answer = site.get("/ui/login/oidc")
    if answer.status_code == 303:
        answer = site.get(CALLBACK, **site.provider.logged_in(answer.headers["location"]))
    assert answer.status_code == 503
    assert "cannot be asked now" in answer.text


def test_without_a_provider_there_is_no_such_page(shared_world: World) -> None:
    for path in ("/ui/login/oidc", CALLBACK):
        assert shared_world.client.get(path, headers={"host": "localhost"}).status_code == 404
    assert "oidc" not in shared_world.client.get("/ui/login", headers={"host": "localhost"}).text


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"issuer": "http://login.example.net", "client_id": "x"}, "issuer: expected an address"),
        ({"issuer": "https://login.example.net"}, "client_id: say"),
        ({"issuer": "https://login.example.net", "client_id": "x", "scopes": ["email"]}, "openid is missing"),
        (
            {"issuer": "https://login.example.net", "client_id": "x", "new_member_role": "viewer"},
            "new_member_workspace: say",
        ),
        ({"issuer": "https://login.example.net", "new_member_role": "server"}, "new_member_role"),
        ({"client_secret": "x"}, "client_secret: there is no such key; did you mean client_secret_file?"),
    ],
)
def test_settings_that_cannot_work_are_refused(table: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSetting, match=re.escape(told)):
        read_parts(table, "oidc", (PART,))


def test_the_browser_is_sent_with_all_that_binds_the_answer_to_it(site: Site) -> None:
    sent = urlsplit(site.get("/ui/login/oidc").headers["location"])
    asked = parse_qs(sent.query)
    assert asked["redirect_uri"] == [f"http://localhost{CALLBACK}"]
    assert asked["scope"] == ["openid email"]
    assert asked["code_challenge_method"] == ["S256"]
    assert all(len(asked[name][0]) == 43 for name in ("state", "nonce", "code_challenge"))
    assert "prompt" not in asked
