"""What commands share, and the commands on tenants."""
