"""A version's logical types count when an event is written under it: a digest beside each text."""

import orjson
from alembic import op

from relay.postgres.migrations.run import run_sql
from relay.schema.avro.logical import logical_digest

revision = "0007_logical_types"
down_revision = "0006_review_for_all"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(revision)
    connection = op.get_bind()
    known = connection.exec_driver_sql(
        "select event_type, version, text from outbox.schema_versions"
    )
    for event_type, version, text in known.fetchall():
        connection.exec_driver_sql(
            "update outbox.schema_versions set logical_digest = %s "
            "where event_type = %s and version = %s",
            (logical_digest(orjson.loads(text)), event_type, version),
        )
    connection.exec_driver_sql(
        "alter table outbox.schema_versions alter column logical_digest set not null"
    )
