"""Documents of the catalog as files: what would be written where, and what is stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from relay.errors import ConfigurationInvalid
from relay.schema.catalog import Catalog
from relay.schema.export.asyncapi_messages import message_name
from relay.schema.export.json_schema import schema_of_version

__all__ = ["json_schemas", "json_text", "stale", "write"]

SUFFIX = ".schema.json"


def json_text(document: Any) -> str:
    """JSON for files and people: two spaces, Unicode as it is, a line break at the end."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def json_schemas(catalog: Catalog) -> dict[str, Any]:
    """`<event type>.v<N>` -> JSON Schema, for every version of the catalog in its order."""
    return {message_name(version): schema_of_version(version) for version in catalog.versions()}


def write(files: dict[Path, str]) -> list[Path]:
    """Writes the files that differ, and their folders; returns those, sorted.

    Raises ConfigurationInvalid where a file can't be written.
    """
    changed = stale(files)
    for path in changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        except OSError as error:
            raise ConfigurationInvalid(
                f"--output: {path} can't be written: {error.strerror}. Give another place"
            ) from error
    return changed


def stale(files: dict[Path, str]) -> list[Path]:
    """The files that `write` would change, sorted; it writes nothing."""
    return sorted(path for path, text in files.items() if _text_of(path) != text)


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
