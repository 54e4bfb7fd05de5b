"""Notifications as SES writes them, put together from its field names; values are our own."""

from __future__ import annotations

import json
from typing import Any

from mailvane_demo.world.sns_topic import stamp
from tests.unit.outbound.ses.conftest import NOW

SENT = NOW - 120_000
MAIL: dict[str, Any] = {
    "timestamp": stamp(SENT),
    "messageId": "0102019aa1b2c3d4-5f6e7d8c-0000",
    "source": "Shop <news@Shop.Example>",
    "sourceArn": "arn:aws:ses:eu-central-1:123456789012:identity/shop.example",
    "sourceIp": "192.0.2.7",
    "callerIdentity": "mailer",
    "sendingAccountId": "123456789012",
    "destination": ["ann@One.example", "bob@two.example"],
    "headersTruncated": False,
    "headers": [
        {"name": "From", "value": "Shop <news@shop.example>"},
        {"name": "Message-ID", "value": "<abc@shop.example>"},
        {"name": "In-Reply-To", "value": "<first@one.example>"},
        {"name": "References", "value": "<first@one.example>"},
    ],
    "commonHeaders": {
        "from": ["Shop <news@shop.example>"],
        "replyTo": ["Help <help@shop.example>"],
        "to": ["ann@one.example"],
        "messageId": "0102019aa1b2c3d4-5f6e7d8c-0000",
        "subject": "Autumn",
    },
}
AT = stamp(NOW - 60_000)

PARTS: dict[str, dict[str, Any]] = {
    "Send": {"send": {}},
    "Delivery": {
        "delivery": {
            "timestamp": AT,
            "processingTimeMillis": 546,
            "recipients": ["ann@one.example"],
            "smtpResponse": "250 2.6.0 Message received\r\n",
            "reportingMTA": "a8-70.smtp-out.amazonses.com",
            "remoteMtaIp": "198.51.100.2",
        }
    },
    "Bounce": {
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {
                    "emailAddress": "ann@one.example",
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 <ann@one.example>: user unknown",
                }
            ],
            "timestamp": AT,
            "feedbackId": "feedback-1",
            "remoteMtaIp": "198.51.100.2",
            "reportingMTA": "dsn; a8-70.smtp-out.amazonses.com",
        }
    },
    "Complaint": {
        "complaint": {
            "complainedRecipients": [{"emailAddress": "ann@one.example"}],
            "timestamp": AT,
            "feedbackId": "feedback-2",
            "complaintSubType": None,
            "complaintFeedbackType": "abuse",
            "userAgent": "Loop/1",
        }
    },
    "DeliveryDelay": {
        "deliveryDelay": {
            "timestamp": AT,
            "delayType": "MailboxFull",
            "expirationTime": stamp(NOW + 3_600_000),
            "delayedRecipients": [
                {
                    "emailAddress": "ann@one.example",
                    "status": "4.2.2",
                    "diagnosticCode": "smtp; 452 4.2.2 mailbox full",
                }
            ],
        }
    },
    "Reject": {"reject": {"reason": "Bad content"}},
    "RenderingFailure": {"failure": {"errorMessage": "Attribute 'x' is missing", "templateName": "t"}},
    "Open": {"open": {"timestamp": AT, "ipAddress": "203.0.113.9", "userAgent": "Mail/1"}},
    "Click": {
        "click": {"timestamp": AT, "ipAddress": "203.0.113.9", "link": "https://shop.example/x", "linkTags": None}
    },
    "Subscription": {
        "subscription": {"timestamp": AT, "source": "UnsubscribeHeader", "contactList": "list"},
    },
}


def notification(kind: str, name: str = "notificationType", **mail: Any) -> str:
    """The text of a message. `kind` is also written as SES writes it in event publishing."""
    return json.dumps({name: kind, "mail": MAIL | mail, **PARTS[kind.replace(" ", "")]})


def bounce(**changed: Any) -> str:
    return json.dumps(
        {"notificationType": "Bounce", "mail": MAIL, "bounce": PARTS["Bounce"]["bounce"] | changed},
    )
