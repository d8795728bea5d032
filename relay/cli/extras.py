"""Which extra of the package brings which library, to name it where the library is missing."""

from __future__ import annotations

__all__ = ["EXTRAS", "missing_extra"]

# Importable name -> extra, as pyproject.toml groups them.
EXTRAS = {
    "alembic": "cli",
    "httpx": "cli",
    "rich": "cli",
    "sqlalchemy": "cli",
    "typer": "cli",
    "yaml": "cli",
    "confluent_kafka": "worker",
    "psycopg_pool": "registry",
    "starlette": "registry",
    "uvicorn": "registry",
    "jgo": "local",
    "psutil": "local",
}


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """What to install, in one line; None for a module that no extra brings."""
    name = (error.name or "").partition(".")[0]
    if (extra := EXTRAS.get(name)) is None:
        return None
    return (
        f"this command needs {name}, which is not installed. "
        f'Install the extra that brings it: pip install "outbox-relay[{extra}]"'
    )
