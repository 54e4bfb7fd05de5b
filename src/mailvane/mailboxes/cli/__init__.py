"""Commands on mailboxes."""
