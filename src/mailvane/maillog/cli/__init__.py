"""Commands on the mail log."""
