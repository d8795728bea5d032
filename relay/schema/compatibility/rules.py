"""The rules of compatibility with the codes that Java gives them, and findings.

Source: Apache Avro 1.12 specification, "Schema Resolution"; `SchemaIncompatibilityType` of
Apache Avro for Java 1.12.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Rule"]


class Rule(StrEnum):
    """A rule that a pair of schemas breaks. The values are stable; programs may match on them."""

    NAME_MISMATCH = "NAME_MISMATCH"
    FIXED_SIZE_MISMATCH = "FIXED_SIZE_MISMATCH"
    MISSING_ENUM_SYMBOLS = "MISSING_ENUM_SYMBOLS"
    READER_FIELD_MISSING_DEFAULT_VALUE = "READER_FIELD_MISSING_DEFAULT_VALUE"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    MISSING_UNION_BRANCH = "MISSING_UNION_BRANCH"
    # Java throws instead of returning a code; registries treat that as incompatible.
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


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: where, by which types, and what would fix it.

    rule: its code; `rule.words` is the rule as a sentence.
    path: JSON path into the reader's schema, such as `$.fields[3].type.symbols`, with references
    replaced by the types they name.
    field: the same place in a payload, such as `lines[].price` (`[]` an array's item, `{}` a
    map's value); empty for the schema itself.
    reader, writer: what each side has there, in words.
    reader_fix, writer_fix: a sentence: the change of the reader, or else of the writer, that
    would make them compatible.
    because: for a union with a branch that almost fits, why that branch does not.
    """

    rule: Rule
    path: str
    field: str
    reader: str
    writer: str
    reader_fix: str
    writer_fix: str
    because: tuple[Finding, ...] = ()

    @property
    def place(self) -> str:
        """Path and field, for messages."""
        return f"{self.path} ({self.field})" if self.field else self.path
