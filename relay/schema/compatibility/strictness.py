"""How much is asked of a schema beyond what it takes to understand it."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["Strictness"]


class Strictness(Enum):
    """Whose rules hold for names and defaults.

    STANDING: nobody's. A schema that a registry has taken is read whatever its defaults,
    aliases and namespaces are, since records carry its id.
    JAVA: those of Avro for Java, which takes letters of any alphabet in names, any text as the
    default of an enum or a fixed, and a number in quotes as that of a float or double.
    SPECIFICATION: those of the specification and of Java together, for schemas that are new.
    """

    STANDING = auto()
    JAVA = auto()
    SPECIFICATION = auto()
