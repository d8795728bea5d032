"""Where a shard goes on: its owner, its last position, and the repair of its last batch."""
