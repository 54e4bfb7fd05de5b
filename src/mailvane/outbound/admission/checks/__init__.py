"""The checks, one file each, found by their place in this folder.

A check has three facts: `ORDER` (the lowest is asked first), `REASON` (the word of its refusal) and `SOFTENS` (whether
a domain in soft mode passes nevertheless, marked). Its function `refuses` is given the domain, its counters brought
to today, what the mail counts, and the installation's rules.
"""
