"""The SMTP gateway: takes mail in, decides about it, and hands it on to the mail server behind."""
