"""How a new owner of a shard continues: last position, missing flags, recovery."""
