"""The simulated mail world behind `mailvane demo`: two busy Postfix servers that exist only as the log they write.

Everything is drawn from one seed, and time is an argument: the same seed and span give the same lines. Nothing here
knows how Mailvane reads or keeps mail events; what leaves this package is text and counts.
"""
