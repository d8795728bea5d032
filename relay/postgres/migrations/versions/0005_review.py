"""States of schema versions, their history, and what consumer groups last decoded."""

from relay.postgres.migrations.run import run_sql

revision = "0005_review"
down_revision = "0004_registry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
