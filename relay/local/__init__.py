"""PostgreSQL, Kafka and the registry on one machine, without Docker.

`relay.local.stack.LocalStack` is the whole; `relay.local.postgres.LocalPostgres`,
`relay.local.kafka.LocalKafka` and `relay.local.registry.LocalRegistry` are its parts.
"""

from __future__ import annotations

__all__: list[str] = []
