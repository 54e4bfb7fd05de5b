"""The MailBaby mail API."""
