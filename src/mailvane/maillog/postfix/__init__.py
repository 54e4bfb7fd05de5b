"""The log of a Postfix as a source of mail events.

From bytes to events: `files` opens and cuts, `lines` finds stamp, host and daemon, `records` reads the text of a
line, `correlation` joins lines into the lives of mails, `reading` and `following` hand the result to a journal.
Nothing here stores anything or reads a clock.
"""
