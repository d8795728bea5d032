"""Once anything is under review, everything is: what nobody decided about is not written."""

from relay.postgres.migrations.run import run_sql

revision = "0006_review_for_all"
down_revision = "0005_review"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
