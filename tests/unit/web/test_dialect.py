"""One exception tree, one reading of it."""

from __future__ import annotations

import logging

import pytest
from litestar import Response
from litestar.exceptions import HTTPException

from mailvane.core import errors
from mailvane.web.dialect import Dialect, Refusal, refusal_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("x"), 400),
        (errors.InvalidEvent(3, "x"), 400),
        (errors.NotAuthenticated("x"), 401),
        (errors.NotAllowed("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.AlreadyExists("x"), 409),
        (errors.StoreUnavailable("x"), 503),
        (errors.Transient("x"), 503),
        (HTTPException(status_code=413, detail="x"), 413),
    ],
)
def test_an_error_that_is_expected_tells_its_message(error: Exception, status: int) -> None:
    refusal = refusal_of(error)
    assert refusal.status == status
    assert refusal.message.endswith("x")
    assert refusal.reference is None


def test_a_bad_line_is_named() -> None:
    assert refusal_of(errors.InvalidEvent(7, "no id")).line == 7


def test_who_may_try_again_is_told_when() -> None:
    assert refusal_of(errors.StoreUnavailable()).headers == {"Retry-After": "5"}


@pytest.mark.parametrize(
    "error", [ValueError("secret"), errors.StoreTooNew("secret"), HTTPException(status_code=500, detail="secret")]
)
def test_an_unexpected_failure_tells_only_an_id_which_is_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        refusal = refusal_of(error)
    assert refusal.status == 500
    assert "secret" not in refusal.message
    assert refusal.reference
    assert refusal.reference in refusal.message
    assert refusal.reference in caplog.text
    assert "secret" in caplog.text


def test_two_failures_have_two_ids() -> None:
    assert refusal_of(ValueError()).reference != refusal_of(ValueError()).reference


def test_a_dialect_owns_its_prefix_and_its_open_paths() -> None:
    def render(refusal: Refusal) -> Response[bytes]:
        return Response(b"", status_code=refusal.status)

    dialect = Dialect("some", render, prefixes=("/mail",), open_paths=frozenset({"/ping"}))
    assert [path for path in ("/mail", "/mail/x/y", "/ping") if not dialect.owns(path)] == []
    assert [path for path in ("/", "/mails", "/mailvane/v1", "/ping/x", "/x/mail") if dialect.owns(path)] == []
    assert dialect.needs_key("/mail")
    assert not dialect.needs_key("/ping")
    assert not Dialect("rest", render).owns("/anything")
