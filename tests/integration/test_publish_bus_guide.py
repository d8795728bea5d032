"""The examples of docs/publishing.md work as they stand."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import psycopg

from relay.operate.outbox_checks import check_outbox
from relay.postgres.connect import libpq_url, sqlalchemy_url
from tests.integration.publishing import rows

GUIDE = Path(__file__).parents[2] / "docs" / "publishing.md"
BLOCK = re.compile(r"^( *)```(python|sql)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_guide_write_what_the_guide_says(database_url: str) -> None:
    # Given a role of the cluster that the guide creates
    role = f"orders_service_{database_url.rpartition('/')[2]}"
    examples = [
        (language, textwrap.dedent(text).replace("orders_service", role))
        for _, language, text in BLOCK.findall(GUIDE.read_text())
    ]
    assert {language for language, _ in examples} == {"python", "sql"}
    # When every example is run in the order of the page
    names: dict[str, Any] = {
        "DATABASE_URL": libpq_url(database_url),
        "SQLALCHEMY_URL": sqlalchemy_url(database_url),
        "__name__": "guide",
    }
    with psycopg.connect(database_url, autocommit=True) as connection:
        try:
            for language, text in examples:
                if language == "sql":
                    connection.execute(text)
                else:
                    exec(compile(text, str(GUIDE), "exec"), names)
            assert not [each for each in check_outbox(connection) if each.check == "roles"]
        finally:
            if "connection" in names:
                names["connection"].close()
            connection.execute(f"drop owned by {role}; drop role {role}")
    # Then what was committed is there, and nothing else
    written = [(row["event_type"], row["aggregate_id"]) for row in rows(database_url)]
    assert written == [
        ("order.created", "o-1"),
        *[("order.paid", order) for order in ("o-1", "o-2", "o-3", "o-5")],
        *[("order.paid", f"bulk-{n}") for n in range(500)],
        ("order.checkout_sent", "o-1"),
    ]
