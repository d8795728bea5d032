"""Shards, holds, outcomes."""

from relay.postgres.migrations.run import run_sql

revision = "0002_relay"
down_revision = "0001_outbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
