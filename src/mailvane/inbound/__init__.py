"""Inbound mail: the SMTP gateway before people's mailboxes, contacts, filters, quarantine, delivery onward."""
