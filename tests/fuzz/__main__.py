"""python -m tests.fuzz --rows 100000 --seed N: runs odd rows through a real relay.

Rows are written by SQL under the role of publishing services. Each must end up published, held with
a reason, or refused by the database when it is written; no worker may end, and the relay is idle
afterwards. A row follows from the seed and its number, so a run can be repeated in part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from relay.local.registry import LocalRegistry
from relay.postgres.migrate import migrate
from tests.fuzz.run import SETTINGS, fuzz
from tests.relaying import create_relay
from tests.stack import running_kafka, running_postgres

SEED = 1


def main() -> int:
    """The status of the command: 1 when something should not have happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with row N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="relay-fuzz-") as name:
        folder = Path(name)
        # Servers may run under another account.
        folder.chmod(0o755)
        with (
            running_postgres(folder / "postgres") as postgres,
            running_kafka(folder / "kafka") as kafka,
        ):
            database_url = postgres.create_database("fuzz")
            migrate(database_url)
            registry = LocalRegistry(
                folder / "registry", database_url=database_url, bootstrap_servers="127.0.0.1:9"
            )
            registry.start()
            try:
                relay = create_relay(
                    folder,
                    "fuzz",
                    database_url=database_url,
                    bootstrap_servers=kafka.bootstrap_servers,
                    registry_url=registry.url,
                    **SETTINGS,
                )
                numbers = range(options.first, options.first + options.rows)
                report = fuzz(relay, options.seed, numbers, patience=60 + options.rows / 100)
                relay.end_all()
            finally:
                registry.stop()
    print(f"seed {options.seed}")
    for line in report.lines():
        print(line)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
