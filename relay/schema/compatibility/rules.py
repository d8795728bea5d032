"""The rules of compatibility, with the codes that Java gives them.

Source: Apache Avro 1.12 specification, "Schema Resolution"; `SchemaIncompatibilityType` of
Apache Avro for Java 1.12.1.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PROMOTIONS", "Rule"]

# What a reader's primitive type reads beside itself.
PROMOTIONS: dict[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


class Rule(StrEnum):
    """A rule that a pair of schemas breaks. The values are stable; programs may match on them."""

    NAME_MISMATCH = "NAME_MISMATCH"
    FIXED_SIZE_MISMATCH = "FIXED_SIZE_MISMATCH"
    MISSING_ENUM_SYMBOLS = "MISSING_ENUM_SYMBOLS"
    READER_FIELD_MISSING_DEFAULT_VALUE = "READER_FIELD_MISSING_DEFAULT_VALUE"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    MISSING_UNION_BRANCH = "MISSING_UNION_BRANCH"
    # Java has no code for it: it throws, and registries take that as incompatible.
    AMBIGUOUS_FIELD = "AMBIGUOUS_FIELD"

    @property
    def words(self) -> str:
        """The rule as a sentence without its full stop."""
        return _WORDS[self]


_WORDS = {
    Rule.NAME_MISMATCH: (
        "records, enums and fixed have the same name without namespace, "
        "or the reader's has the writer's full name as an alias"
    ),
    Rule.FIXED_SIZE_MISMATCH: "a fixed has the same size on both sides",
    Rule.MISSING_ENUM_SYMBOLS: (
        "the reader's enum has every symbol of the writer's, or a default for unknown ones"
    ),
    Rule.READER_FIELD_MISSING_DEFAULT_VALUE: (
        "a field of the reader that the writer does not have needs a default"
    ),
    Rule.TYPE_MISMATCH: "the types are the same, or the writer's is promoted to the reader's",
    Rule.MISSING_UNION_BRANCH: "the reader's union has a branch for whatever the writer sends",
    Rule.AMBIGUOUS_FIELD: (
        "a field of the reader matches one field of the writer at most, "
        "by its name and its aliases together"
    ),
}
