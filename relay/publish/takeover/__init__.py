"""Where a new owner of a shard goes on: last position, repair of the last batch, recovery."""
