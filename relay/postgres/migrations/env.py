"""Alembic's entry point; `relay.postgres.migrate` passes the connection."""

from __future__ import annotations

from alembic import context

from relay.postgres.migrate import VERSION_TABLE

connection = context.config.attributes["connection"]
connection.exec_driver_sql("create schema if not exists outbox")
context.configure(connection=connection, **VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
