"""All tables, functions and views.

Runs the present schema. Whoever adds a second revision first copies schema.sql, as it was before,
to migrations/sql/0001_initial.sql and has this revision run the copy.
"""

from relay.postgres.migrate import run_sql

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("schema.sql")
