"""The embedded schema registry."""

from relay.postgres.migrations.run import run_sql

revision = "0004_registry"
down_revision = "0003_inbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
