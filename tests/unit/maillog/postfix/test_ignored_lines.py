"""Which lines may be passed over, and which must be counted as not understood."""

from __future__ import annotations

import pytest

from mailvane.maillog.postfix.ignored_lines import is_ignored


@pytest.mark.parametrize(
    "text",
    [
        "connect from a.example[192.0.2.1]",
        "disconnect from a.example[192.0.2.1] ehlo=1 quit=1 commands=2",
        "statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Oct 10 10:00:00",
        "PREGREET 6 after 0.1 from [192.0.2.1]:4242: EHLO x",
        "warning: hostname a.example does not resolve to address 192.0.2.1",
        "connect to mx.example[192.0.2.1]:25: Connection timed out",
        "daemon started -- version 3.10.0, configuration /etc/postfix",
        "TLS handshake failed for service=smtpd peer=[192.0.2.1]:53412",
        "TLS handshake failed",
        "Postfix is running with backwards-compatible default settings",
        "SASL [CACHED] authentication failed; server mail.example[192.0.2.1] said: 535 5.7.8 Error",
        # smtpd -v
        "> a.example[192.0.2.1]: 250 2.1.0 Ok",
        "< a.example[192.0.2.1]: RCPT TO:<a@b.example>",
        "< mx.example[192.0.2.1]:25: 250-PIPELINING",
        ">>> START Client host RESTRICTIONS <<<",
        "generic_checks: name=permit_mynetworks status=0",
        "match_hostname: smtpd_client_event_limit_exceptions: a.example ~? 127.0.0.0/8",
        "private/anvil: wanted attribute: status",
        "public/cleanup socket: wanted attribute: queue_id",
        "input attribute name: (end)",
        "send attr request = connect",
        "event_enable_read: fd 18",
        "fsspace: .: block size 4096, blocks free 2345",
        "before input_transp_cleanup: cleanup flags = enable_header_body_filter",
        "milter8_connect: non-protocol events for protocol version 6:",
        "trying... [10.0.0.1]",
    ],
)
def test_lines_that_say_nothing_of_a_mail_are_asides(text: str) -> None:
    assert is_ignored(text)


@pytest.mark.parametrize("text", ["", "to=<a@b>, relay=none", "client=a[192.0.2.1]", "something never heard of"])
def test_other_lines_are_not(text: str) -> None:
    assert not is_ignored(text)
