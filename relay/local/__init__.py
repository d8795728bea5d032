"""Runs PostgreSQL, Kafka and the registry on one machine, without Docker.

`relay.local.stack.LocalStack` starts all three; `relay.local.postgres.LocalPostgres`,
`relay.local.kafka.LocalKafka` and `relay.local.registry.LocalRegistry` are the servers.
"""

from __future__ import annotations

__all__: list[str] = []
