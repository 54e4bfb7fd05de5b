"""What outside sources say of addresses and domains, and the alerts over it."""
