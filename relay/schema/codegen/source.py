"""Writes pieces of Python source as ruff's formatter would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from textwrap import wrap
from typing import Any

__all__ = ["WIDTH", "alias", "bracketed", "docstring", "exploded", "imported", "literal"]

WIDTH = 100


def literal(value: Any) -> str:
    """Source of a JSON value."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _string(text: str) -> str:
    """A string in double quotes, or in single ones where that saves escapes."""
    body = _printable(json.dumps(text, ensure_ascii=False)[1:-1])
    if body.count('\\"') > text.count("'"):
        return "'" + body.replace('\\"', '"').replace("'", "\\'") + "'"
    return f'"{body}"'


def exploded(head: str, items: Iterable[str], tail: str, indent: str = "") -> list[str]:
    """A bracket with one item a line and a trailing comma, which the formatter keeps."""
    lines = [f"{indent}    {item}," for item in items]
    return [f"{indent}{head}", *lines, f"{indent}{tail}"] if lines else [f"{indent}{head}{tail}"]


def bracketed(head: str, items: list[str], tail: str, indent: str = "") -> list[str]:
    """A bracket on one line if it fits, else its items on one line, else on a line each."""
    joined = ", ".join(items)
    if len(line := f"{indent}{head}{joined}{tail}") <= WIDTH:
        return [line]
    if len(line := f"{indent}    {joined}") <= WIDTH:
        return [f"{indent}{head}", line, f"{indent}{tail}"]
    return exploded(head, items, tail, indent)


def docstring(paragraphs: Iterable[str], indent: str) -> list[str]:
    """Lines of a docstring: the first paragraph, an empty line, the others."""
    width = WIDTH - len(indent) - 6
    texts = [_escaped(" ".join(text.split())) for text in paragraphs]
    first, *rest = texts or ["."]
    lines = wrap(first, width) or ["."]
    if rest:
        lines.append("")
        for text in rest:
            lines += wrap(text, width, subsequent_indent="    ")
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    body = [f"{indent}{line}" if line else "" for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    text = f"{text[:-1]}'" if text.endswith('"') else text
    return _printable(text)


def _printable(text: str) -> str:
    """Escapes characters that are not printable, such as NUL or a right-to-left mark."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def alias(name: str, members: list[str]) -> list[str]:
    """A union type alias."""
    joined = " | ".join(members)
    if len(line := f"{name}: TypeAlias = {joined}") <= WIDTH:
        return [line]
    lines = [joined]
    if len(joined) + 4 > WIDTH:
        lines = [members[0], *(f"| {member}" for member in members[1:])]
    return [f"{name}: TypeAlias = (", *(f"    {line}" for line in lines), ")"]


def imported(module: str, names: Iterable[str]) -> list[str]:
    """An import, its names sorted as ruff does: constants first, the rest ignoring case."""
    ordered = sorted(names, key=lambda name: (_rank(name)[0], _rank(name.lower())[1], name))
    line = f"from {module} import {', '.join(ordered)}"
    return [line] if len(line) <= WIDTH else exploded(f"from {module} import (", ordered, ")")


def _rank(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    parts = re.split(r"(\d+)", name)
    return kind, [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
