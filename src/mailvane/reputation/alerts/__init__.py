"""Reputation alerts: the catalogue of rules, formulas over them, what is news, evaluating and backtesting. Pure."""
