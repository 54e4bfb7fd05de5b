"""Opens, clicks and unsubscriptions that Mailvane itself sees, and replies: from a signed link to a mail event."""
