"""Names of subjects and of the contexts that they belong to.

A subject outside the default context is written `:.context:subject`; the default context is
`.`. Source: Confluent Schema Registry documentation, "Schema Contexts".
"""

from __future__ import annotations

import re

from relay.registry import errors

__all__ = [
    "DEFAULT_CONTEXT",
    "GLOBAL",
    "check_subject",
    "context_of",
    "is_context",
    "qualify",
    "scopes",
]

DEFAULT_CONTEXT = "."
GLOBAL = ""

# An index entry of PostgreSQL holds 2,700 bytes.
_LONGEST = 1_000
_RESERVED = frozenset({"__GLOBAL", "__EMPTY"})
_QUALIFIED = re.compile(r"^:(?P<context>\.[^:]*):(?P<subject>.*)$", re.DOTALL)


def context_of(subject: str) -> str:
    """The context of a qualified subject, `.` by default."""
    found = _QUALIFIED.match(subject)
    return found["context"] if found else DEFAULT_CONTEXT


def is_context(scope: str) -> bool:
    """Returns whether a scope of settings is a whole context, written `:.context:`."""
    found = _QUALIFIED.match(scope)
    return found is not None and not found["subject"]


def check_subject(subject: str) -> None:
    """Raises ApiError 42208 when a qualified subject has a name that no subject may have.

    The scope of a whole context and the empty string, the global one, are permitted.
    """
    found = _QUALIFIED.match(subject)
    name = found["subject"] if found else subject
    problem = None
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in subject):
        problem = "it has control characters"
    elif name in _RESERVED:
        problem = "the name is reserved"
    elif len(subject.encode(errors="replace")) > _LONGEST:
        problem = f"it is longer than {_LONGEST} bytes"
    if problem is not None:
        raise errors.invalid_subject(subject[:100], problem)


def qualify(subject: str, context: str = DEFAULT_CONTEXT) -> str:
    """Returns `subject` as it is stored: with its context unless that is the default one.

    context: of the address, used where the subject names none itself;
    `.name`, `name` and `:.name:` are the same.
    """
    found = _QUALIFIED.match(subject)
    if found:
        context, subject = found["context"], found["subject"]
    else:
        context = "." + context.strip(":").lstrip(".")
    return subject if context == DEFAULT_CONTEXT else f":{context}:{subject}"


def scopes(subject: str) -> list[str]:
    """Lists the scopes whose settings apply to `subject`: itself, its context, everything."""
    context = context_of(subject)
    own = [f":{context}:"] if context != DEFAULT_CONTEXT else []
    return list(dict.fromkeys([subject, *own, GLOBAL]))
