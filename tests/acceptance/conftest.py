"""A real Postfix with everything that it talks to, for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.acceptance.postfix_instance import Peers, PostfixInstance, cannot_run
from tests.acceptance.sasl_server import SaslServer
from tests.acceptance.smtp_sink import SmtpSink
from tests.ports import free_port


@contextmanager
def running_postfix(**options: str) -> Iterator[PostfixInstance]:
    """A Postfix with an SMTP sink, an LMTP sink, a content filter and a login server."""
    with ExitStack() as running:
        sink, lmtp, sasl = SmtpSink(), SmtpSink(lmtp=True), SaslServer()
        for server in (sink, lmtp, sasl):
            server.start()
            running.callback(server.stop)
        filter_port = free_port()
        instance = PostfixInstance(Peers(sink.port, lmtp.port, filter_port, sasl.port), **options)
        content_filter = SmtpSink(forward_to=instance.reinject).start(filter_port)
        running.callback(content_filter.stop)
        yield running.enter_context(instance)


@pytest.fixture(scope="module")
def postfix() -> Iterator[PostfixInstance]:
    if reason := cannot_run():
        pytest.skip(reason)
    with running_postfix() as instance:
        yield instance
