"""The plain path of bulk reading: mails that need no state machine, told by the engine's own string functions.

A mail is *plain* when all its lines stand in one block of a file, in the usual order, and nothing else there or in
flight names its queue id or Message-ID. `statements.sql` cuts a block into lines and finds such mails; what it leaves
goes through `correlation`, line by line. Both tell the same events: where a rule of the state machine cannot be said in
SQL in so many words, its own function is asked once for each distinct value, or the mail is not plain.

`forms` tells times and tags of a block, `block` runs the statements. Nothing here stores an event.
"""
