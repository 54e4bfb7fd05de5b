"""The commands on inbound mail."""
