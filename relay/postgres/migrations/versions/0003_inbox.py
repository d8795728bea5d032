"""What consumer groups processed, parked and gave up."""

from relay.postgres.migrations.run import run_sql

revision = "0003_inbox"
down_revision = "0002_relay"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
