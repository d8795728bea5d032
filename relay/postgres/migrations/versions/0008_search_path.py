"""What publishers call means the same whatever their search_path has."""

from relay.postgres.migrations.run import run_sql

revision = "0008_search_path"
down_revision = "0007_logical_types"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
