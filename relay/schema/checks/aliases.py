"""Finds aliases that are names of something else in the same schema.

Readers rename by an alias whatever the writer calls so, and then don't find it under its own name.
"""

from __future__ import annotations

from collections.abc import Iterator

from relay.schema.avro.nodes import Node, types_of
from relay.schema.checks.finding import ERROR, LintFinding
from relay.schema.checks.words import ROOT, listed

__all__ = ["taken_aliases"]

FIX = "Remove the alias, or rename what has the name."


def taken_aliases(root: Node) -> Iterator[LintFinding]:
    """Yields an error for each type and each record with such aliases."""
    types = list(types_of(root))
    names = {node.name for node in types if node.name}
    for node in types:
        if taken := sorted(names & {*node.aliases} - {node.name}):
            problem = (
                f"{node.name} has aliases that are other types of the schema: {listed(taken)}."
            )
            yield LintFinding("alias-taken", ERROR, ROOT, problem, FIX)
        fields = {field.name for field in node.fields}
        aliases = {alias for field in node.fields for alias in field.aliases}
        if taken := sorted(fields & aliases):
            problem = f"Fields of {node.name} are aliases of fields of it as well: {listed(taken)}."
            yield LintFinding("alias-taken", ERROR, ROOT, problem, FIX)
