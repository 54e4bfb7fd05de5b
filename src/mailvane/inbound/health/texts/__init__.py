"""What health reports say, to Slack, in mails and on terminals."""
