"""Names of types, fields and symbols, and how strictly they are checked.

Source: Apache Avro 1.12 specification, "Names"; Apache Avro for Java 1.12.1, `NameValidator`.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Any

__all__ = [
    "Strictness",
    "full_alias",
    "full_name",
    "is_full_name",
    "is_name",
    "namespace_of",
    "record_name",
    "short_name",
]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Strictness(Enum):
    """Which rules apply to names and defaults.

    STANDING: of a schema that a registry has accepted: any defaults, aliases and namespaces, since
    records carry its id.
    JAVA: Avro for Java, for new schemas: letters of any alphabet in names, any string as default of
    an enum or a fixed, a number in quotes as default of a float or double, types that are defined
    after they are referred to, or twice alike.
    SPECIFICATION: the rules of the specification and of Java together, for schemas under review.
    """

    STANDING = auto()
    JAVA = auto()
    SPECIFICATION = auto()


def full_name(name: str, namespace: str | None) -> str:
    """Returns a name with its namespace: its own, else the enclosing one."""
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
    """Returns the full name of an alias of a type in a namespace.

    In Java a type in a namespace can't have an alias without one: `.Name` keeps its dot there,
    and so matches nothing.
    """
    full = full_name(alias, namespace)
    return full if namespace else full.removeprefix(".")


def is_name(name: str, strictness: Strictness) -> bool:
    """Returns whether fields, symbols and types, without namespace, may have this name."""
    if _NAME.fullmatch(name):
        return True
    # Java accepts letters and digits of any alphabet by default.
    return (
        strictness is not Strictness.SPECIFICATION
        and (name[:1].isalpha() or name[:1] == "_")
        and all(sign.isalpha() or sign.isdecimal() or sign == "_" for sign in name)
    )


def is_full_name(name: str, strictness: Strictness) -> bool:
    """Returns whether a type may have this name. A STANDING schema may have any namespace."""
    namespace, _, short = name.rpartition(".")
    if not is_name(short, strictness):
        return False
    return (
        not namespace
        or strictness is Strictness.STANDING
        or all(is_name(part, strictness) for part in namespace.split("."))
    )
