"""The command `relay`."""

from __future__ import annotations

import sys

import typer

from relay.cli import failures, families
from relay.errors import RelayError

__all__ = ["app", "main"]

app = typer.Typer(
    name="relay",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def relay() -> None:
    """Publishes what services write to the outbox to Kafka, in order, exactly once."""


families.add_to(app)


def main() -> None:
    """Runs the command line; an expected failure is one line on standard error."""
    try:
        app()
    except RelayError as error:
        print(f"relay: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if (words := failures.in_words(error)) is None:
            raise
        print(f"relay: {words}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
