"""What a user may say of an alert; every fault is named by its field."""

from __future__ import annotations

from typing import Any

import pytest

from mailvane.core.errors import InvalidFields
from mailvane.reputation.alerts.drafts import AlertDraft, drafted
from mailvane.reputation.alerts.model import Alert

LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}
EMPTY = Alert(id="a" * 24, workspace=1, name="", created_at=1, updated_at=1, rules=())


def test_an_alert_has_what_its_draft_says_and_keeps_what_is_its_own() -> None:
    alert = drafted(AlertDraft(name=" listed ", rules=(LISTED,), webhook_url="http://h.example:8080/x?y=1"), EMPTY)
    assert (alert.id, alert.created_at, alert.name, alert.rules) == (EMPTY.id, 1, "listed", (LISTED,))
    assert alert.is_active


def test_one_rule_needs_no_formula_and_two_do() -> None:
    drafted(AlertDraft(name="x", rules=(LISTED,), formula="nonsense ("), EMPTY)
    two = ({**LISTED, "key": "a"}, {**LISTED, "key": "b"})
    drafted(AlertDraft(name="x", rules=two, formula="a AND b"), EMPTY)
    with pytest.raises(InvalidFields) as refused:
        drafted(AlertDraft(name="x", rules=two), EMPTY)
    assert refused.value.fields == (("formula", "is required where there is more than one rule"),)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "  "}, {"name"}),
        ({"name": "x" * 201}, {"name"}),
        ({"rules": ()}, {"rules"}),
        ({"rules": (LISTED,) * 21}, {"rules"}),
        ({"rules": ({**LISTED, "key": "a"}, {**LISTED, "key": "a"}), "formula": "a"}, {"rules"}),
        ({"rules": ({"type": "IP_IN_RBL"}, {"type": "?"})}, {"rules[0].ips", "rules[1].type"}),
        ({"is_instant_alert": True}, {"instant_alert_email"}),
        ({"instant_alert_email": "nobody"}, {"instant_alert_email"}),
        ({"instant_alert_email": "a@b.example\nBcc: c@d.example"}, {"instant_alert_email"}),
        ({"webhook_url": "ftp://h.example/"}, {"webhook_url"}),
        ({"webhook_url": "https://"}, {"webhook_url"}),
        ({"webhook_url": "https://h.example:99999/"}, {"webhook_url"}),
        ({"webhook_url": "https://h.example/a b"}, {"webhook_url"}),
        ({"name": "", "webhook_url": "x", "is_instant_alert": True}, {"name", "webhook_url", "instant_alert_email"}),
    ],
)
def test_all_that_is_wrong_is_named_at_once(fields: dict[str, Any], wrong: set[str]) -> None:
    with pytest.raises(InvalidFields) as refused:
        drafted(AlertDraft(**({"name": "x", "rules": (LISTED,)} | fields)), EMPTY)
    assert {field for field, _ in refused.value.fields} == wrong
