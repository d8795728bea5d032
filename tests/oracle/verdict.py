"""What one side says of a pair of schemas, and whether both say the same."""

from __future__ import annotations

import json
from dataclasses import dataclass

from relay.schema.avro.fingerprint import canonical_form
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.parse import parse
from relay.schema.compatibility import findings

__all__ = ["Verdict", "agree", "our_verdict"]


@dataclass(frozen=True)
class Verdict:
    """What one side says.

    outcome: compatible, incompatible, ambiguous (Java throws) or refused (not a schema). forms:
    Parsing Canonical Form of the reader's and the writer's schema.
    """

    outcome: str
    rules: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


def our_verdict(reader: str, writer: str) -> Verdict:
    """What the registry says of the texts of a reader's and a writer's schema."""
    try:
        found = findings(parse(reader), parse(writer))
    except SchemaInvalid as refused:
        return Verdict("refused", notes=(str(refused),))
    rules = frozenset(str(finding.rule) for finding in found)
    outcome = "incompatible" if found else "compatible"
    if "AMBIGUOUS_FIELD" in rules:
        # Java throws at the first of them, and says nothing of other rules.
        outcome, rules = "ambiguous", frozenset({"AMBIGUOUS_FIELD"})
    forms = tuple(canonical_form(json.loads(text)) for text in (reader, writer))
    return Verdict(outcome, rules, tuple(str(finding) for finding in found), forms)


def agree(ours: Verdict, java: Verdict) -> bool:
    """Whether outcome, canonical forms and the rules that are broken are the same."""
    unsure = {rule for rules in java.rules if " or " in rules for rule in rules.split(" or ")}
    certain = {rule for rule in java.rules if " or " not in rule}
    return (
        ours.outcome == java.outcome
        and ours.forms == java.forms
        and certain <= ours.rules <= certain | unsure
        and (not unsure or bool(unsure & ours.rules))
    )
