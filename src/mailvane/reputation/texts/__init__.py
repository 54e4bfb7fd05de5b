"""What people are told: evidence, mails, Slack messages."""
