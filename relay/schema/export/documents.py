"""Writes documents of the catalog as files, and finds stale ones."""

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
    """JSON with an indent of two spaces, unescaped Unicode and a line break at the end."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def json_schemas(catalog: Catalog) -> dict[str, Any]:
    """`<event type>.v<N>` -> JSON Schema, for every version of the catalog in its order."""
    return {message_name(version): schema_of_version(version) for version in catalog.versions()}


def write(files: dict[Path, str]) -> list[Path]:
    """Writes the files that differ, and their folders. Returns their paths, sorted.

    Raises ConfigurationInvalid when a file can't be written.
    """
    changed = stale(files)
    for path in changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        except OSError as error:
            raise ConfigurationInvalid(
                f"--output: {path} can't be written: {error.strerror}. Use another path"
            ) from error
    return changed


def stale(files: dict[Path, str]) -> list[Path]:
    """Returns the files that `write` would change, sorted; writes nothing."""
    return sorted(path for path, text in files.items() if _text_of(path) != text)


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
