"""Names of types, fields and symbols.

Source: Apache Avro 1.12 specification, "Names"; Apache Avro for Java 1.12.1, `NameValidator`.
"""

from __future__ import annotations

import re

from relay.schema.avro.nodes import full_name
from relay.schema.compatibility.strictness import Strictness

__all__ = ["full_alias", "is_full_name", "is_name"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def full_alias(alias: str, namespace: str) -> str:
    """What an alias of a type in a namespace stands for.

    Java has no way to name a type without namespace from within one: the alias `.Name` keeps its
    dot there, and so matches nothing.
    """
    full = full_name(alias, namespace)
    return full if namespace else full.removeprefix(".")


def is_name(text: str, strictness: Strictness) -> bool:
    """Whether a field, a symbol or a type without its namespace may have this name."""
    if _NAME.fullmatch(text):
        return True
    # Java takes letters and digits of any alphabet, unless it is told to be strict.
    return (
        strictness is not Strictness.SPECIFICATION
        and (text[:1].isalpha() or text[:1] == "_")
        and all(sign.isalpha() or sign.isdecimal() or sign == "_" for sign in text)
    )


def is_full_name(text: str, strictness: Strictness) -> bool:
    """Whether a type may have this name. Of those that stand the namespace may be any."""
    namespace, _, name = text.rpartition(".")
    if not is_name(name, strictness):
        return False
    return (
        not namespace
        or strictness is Strictness.STANDING
        or all(is_name(part, strictness) for part in namespace.split("."))
    )
