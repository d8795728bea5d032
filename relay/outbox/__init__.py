"""The outbox: its tables, the ways into them, and reading them."""
