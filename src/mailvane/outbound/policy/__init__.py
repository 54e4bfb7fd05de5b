"""The Postfix policy service: a mail server asks whether a mail may pass."""
