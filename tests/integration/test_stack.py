"""The fixtures and the local stack on real servers."""

from __future__ import annotations

from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient

from tests.stack import until


def test_every_test_gets_a_migrated_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select to_regclass('outbox.domain_events')").fetchone()
    assert found is not None
    assert found[0] is not None


def test_the_broker_of_the_run_answers(bootstrap_servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    assert until(lambda: admin.list_topics(timeout=5).brokers)
