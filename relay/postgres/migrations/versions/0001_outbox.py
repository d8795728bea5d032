"""Events, deliveries, publish."""

from relay.postgres.migrations.run import run_sql

revision = "0001_outbox"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
