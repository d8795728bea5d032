"""The command `relay`: runs the command line and turns expected failures into one line."""

from __future__ import annotations

import sys

from relay.cli import failures
from relay.cli.extras import missing_extra
from relay.errors import RelayError

__all__ = ["main"]


def main() -> None:
    """Runs the command line; an expected failure is one line on standard error."""
    try:
        # Typer is of an extra itself.
        from relay.cli.app import app

        app()
    except RelayError as error:
        print(f"relay: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if (words := _in_words(error)) is None:
            raise
        print(f"relay: {words}", file=sys.stderr)
        raise SystemExit(2) from None


def _in_words(error: Exception) -> str | None:
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    return failures.in_words(error)


if __name__ == "__main__":
    main()
