"""Who sends: mailboxes, how their mail fares, and what they may send. Stands on the mail log."""
