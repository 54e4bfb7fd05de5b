"""Ways out for notifications: webhook, mail, Slack, and the worker that empties the outbox."""
