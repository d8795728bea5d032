"""Alembic's entry point; the connection is handed over by `relay.postgres.migrate`."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
connection.exec_driver_sql("create schema if not exists outbox")
context.configure(connection=connection, version_table="migrations", version_table_schema="outbox")
with context.begin_transaction():
    context.run_migrations()
