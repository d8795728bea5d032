"""A reason why a reader can't read what a writer writes."""

from __future__ import annotations

from dataclasses import dataclass

from relay.schema.compatibility.rules import Rule

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken, where, by what, and what would fix it.

    rule: its code; `rule.words` is the rule as a sentence.
    path: JSON path into the reader's schema, such as `$.fields[3].type.symbols`. It reads as if
    each type that is referred to by name stood there in full.
    field: the same place in a payload, such as `lines[].price` (`[]` an array's item, `{}` a
    map's value); empty for the schema itself.
    reader, writer: what each side has there, in words.
    reader_fix, writer_fix: what would make it compatible when the reader, or else the writer,
    may still be changed; a sentence.
    because: where a union has a branch that all but fits, why that branch does not.
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
        """Path and field for a message."""
        return f"{self.path} ({self.field})" if self.field else self.path
