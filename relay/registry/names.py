"""Subjects and the contexts they live in.

A subject outside the default context is written `:.context:subject`; the default context is
`.`. Source: Confluent Schema Registry documentation, "Schema Contexts".
"""

from __future__ import annotations

import re

from relay.registry.refusals import invalid_subject

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
    """Whether a scope of settings is a whole context, written `:.context:`."""
    found = _QUALIFIED.match(scope)
    return found is not None and not found["subject"]


def check_subject(subject: str) -> None:
    """Raises Refusal 42208 when a qualified subject has a name that none may have.

    The scope of a whole context and the empty text, the global one, pass.
    """
    found = _QUALIFIED.match(subject)
    name = found["subject"] if found else subject
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in subject):
        raise invalid_subject(subject, "it has control characters")
    if name in _RESERVED:
        raise invalid_subject(subject, "the name is reserved")
    if len(subject.encode(errors="replace")) > _LONGEST:
        raise invalid_subject(subject, f"it is longer than {_LONGEST} bytes")


def qualify(subject: str, context: str = DEFAULT_CONTEXT) -> str:
    """`subject` as it is stored: with its context unless that is the default one.

    context: of the address that the subject stood in, used where it names none itself;
    `.name`, `name` and `:.name:` are the same.
    """
    found = _QUALIFIED.match(subject)
    if found:
        context, subject = found["context"], found["subject"]
    else:
        context = "." + context.strip(":").lstrip(".")
    return subject if context == DEFAULT_CONTEXT else f":{context}:{subject}"


def scopes(subject: str) -> list[str]:
    """Where settings of `subject` are looked for: itself, its context, everything."""
    context = context_of(subject)
    own = [f":{context}:"] if context != DEFAULT_CONTEXT else []
    return list(dict.fromkeys([subject, *own, GLOBAL]))
