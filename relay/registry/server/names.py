"""Subjects and the contexts they live in.

A subject outside the default context is written `:.context:subject`; the default context is
`.`. Source: Confluent Schema Registry documentation, "Schema Contexts".
"""

from __future__ import annotations

import re

__all__ = ["DEFAULT_CONTEXT", "GLOBAL", "context_of", "qualify", "scopes"]

DEFAULT_CONTEXT = "."
GLOBAL = ""

_QUALIFIED = re.compile(r"^:(?P<context>\.[^:]*):(?P<subject>.*)$", re.DOTALL)


def context_of(subject: str) -> str:
    """The context of a qualified subject, `.` by default."""
    found = _QUALIFIED.match(subject)
    return found["context"] if found else DEFAULT_CONTEXT


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
