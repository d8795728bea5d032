"""How much is required of a schema beyond what it takes to understand it."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["Strictness"]


class Strictness(Enum):
    """Whose rules hold for names and defaults.

    STANDING: a schema that a registry has taken is read whatever its defaults, aliases and
    namespaces are, since records carry its id.
    JAVA: the rules of Avro for Java, which takes letters of any alphabet in names, any string as
    the default of an enum or a fixed, and a number in quotes as that of a float or double.
    SPECIFICATION: the rules of the specification and of Java together, for new schemas.
    """

    STANDING = auto()
    JAVA = auto()
    SPECIFICATION = auto()
