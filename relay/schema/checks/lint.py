"""Findings for what compatibility rules are blind to, on one schema and on two versions."""

from __future__ import annotations

from relay.schema.avro.nodes import Schema
from relay.schema.avro.parse import read_schema
from relay.schema.checks.diff import diff
from relay.schema.checks.finding import Finding, apply
from relay.schema.checks.lint_schema import RULES as SCHEMA_RULES
from relay.schema.checks.lint_versions import RULES as VERSION_RULES
from relay.schema.checks.lint_versions import Changed
from relay.schema.checks.places import places

__all__ = ["lint", "lint_versions"]


def lint(schema: Schema) -> list[Finding]:
    """Findings on one schema, in the order of the schema.

    schema: JSON of the schema as parsed from an .avsc file.
    Raises CatalogInvalid when it is not an Avro schema.
    """
    return apply(SCHEMA_RULES, ((place.path, place) for place in places(read_schema(schema))))


def lint_versions(old: Schema, new: Schema) -> list[Finding]:
    """Findings on the way from one version to the next; `new` by itself is for `lint`.

    Raises CatalogInvalid when one of them is not an Avro schema.
    """
    changes = tuple(diff(old, new))
    return apply(VERSION_RULES, ((change.path, Changed(change, changes)) for change in changes))
