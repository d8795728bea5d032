"""Names of types, fields and symbols.

Source: Apache Avro 1.12 specification, "Names"; Apache Avro for Java 1.12.1, `NameValidator`.
"""

from __future__ import annotations

import re
from typing import Any

from relay.schema.avro.strictness import Strictness

__all__ = [
    "full_alias",
    "full_name",
    "is_full_name",
    "is_name",
    "namespace_of",
    "record_name",
    "short_name",
]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def full_name(name: str, namespace: str | None) -> str:
    """A name with its namespace: its own, else the one around it."""
    return name if "." in name or not namespace else f"{namespace}.{name}"


def record_name(schema: dict[str, Any]) -> str:
    """Full name of a record's schema: namespace and name."""
    return full_name(str(schema.get("name", "")), schema.get("namespace"))


def short_name(name: str) -> str:
    """relay.events.orders.OrderPaid -> OrderPaid."""
    return name.rpartition(".")[2]


def namespace_of(name: str) -> str:
    """relay.events.orders.OrderPaid -> relay.events.orders; empty where there is none."""
    return name.rpartition(".")[0]


def full_alias(alias: str, namespace: str) -> str:
    """The full name that an alias of a type in a namespace stands for.

    Java can't name a type without namespace from within one: the alias `.Name` keeps its dot
    there, and so matches nothing.
    """
    full = full_name(alias, namespace)
    return full if namespace else full.removeprefix(".")


def is_name(name: str, strictness: Strictness) -> bool:
    """Whether a field, a symbol or a type without its namespace may have this name."""
    if _NAME.fullmatch(name):
        return True
    # Java takes letters and digits of any alphabet, unless it is set to be strict.
    return (
        strictness is not Strictness.SPECIFICATION
        and (name[:1].isalpha() or name[:1] == "_")
        and all(sign.isalpha() or sign.isdecimal() or sign == "_" for sign in name)
    )


def is_full_name(name: str, strictness: Strictness) -> bool:
    """Whether a type may have this name. A standing schema may have any namespace."""
    namespace, _, short = name.rpartition(".")
    if not is_name(short, strictness):
        return False
    return (
        not namespace
        or strictness is Strictness.STANDING
        or all(is_name(part, strictness) for part in namespace.split("."))
    )
