"""Pieces of generated Python source, written as ruff's formatter would write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from textwrap import wrap
from typing import Any

__all__ = [
    "alias",
    "bracketed",
    "docstring",
    "exploded",
    "exports",
    "imported",
    "literal",
    "text_literal",
    "wrapped_text",
]

WIDTH = 100


def text_literal(text: str) -> str:
    """A string literal in double quotes, or single ones where that saves escapes."""
    body = _printable(json.dumps(text, ensure_ascii=False)[1:-1])
    quotes = body.count('\\"')
    if quotes > text.count("'"):
        return "'" + body.replace('\\"', '"').replace("'", "\\'") + "'"
    return f'"{body}"'


def literal(value: Any) -> str:
    """Source of a JSON value."""
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    return repr(value)


def exploded(head: str, items: Iterable[str], tail: str, indent: str = "") -> list[str]:
    """Lines of a bracket with one item a line and a comma after each, which stays that way."""
    lines = [f"{indent}    {item}," for item in items]
    return [f"{indent}{head}", *lines, f"{indent}{tail}"] if lines else [f"{indent}{head}{tail}"]


def bracketed(head: str, items: list[str], tail: str) -> list[str]:
    """A bracket on one line where it fits, else its items on one line, else on a line each."""
    joined = ", ".join(items)
    if len(head) + len(joined) + len(tail) <= WIDTH:
        return [f"{head}{joined}{tail}"]
    if len(joined) + 4 <= WIDTH:
        return [head, f"    {joined}", tail]
    return exploded(head, items, tail)


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
    """What does not show, such as NUL or a mark that turns the direction, as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def wrapped_text(text: str, indent: str) -> list[str]:
    """A text as one literal where it fits, else as literals that Python joins."""
    whole = f"{indent}{text_literal(text)}"
    if len(whole) <= WIDTH:
        return [whole]
    lines = []
    while text:
        # Characters that are written as escapes take more room than one column.
        size = WIDTH - len(indent) - 2
        while len(line := f"{indent}{text_literal(text[:size])}") > WIDTH:
            size -= len(line) - WIDTH
        lines.append(line)
        text = text[size:]
    return lines


def alias(name: str, members: list[str]) -> list[str]:
    """A union type alias."""
    joined = " | ".join(members)
    line = f"{name}: TypeAlias = {joined}"
    if len(line) <= WIDTH:
        return [line]
    if len(joined) + 4 <= WIDTH:
        return [f"{name}: TypeAlias = (", f"    {joined}", ")"]
    first, *rest = members
    return [
        f"{name}: TypeAlias = (",
        f"    {first}",
        *(f"    | {member}" for member in rest),
        ")",
    ]


def exports(names: Iterable[str]) -> list[str]:
    """The list of public names: constants, classes, functions, each in natural order."""
    return exploded("__all__ = [", [f'"{name}"' for name in sorted(names, key=_rank)], "]")


def imported(module: str, names: Iterable[str]) -> list[str]:
    """An import; its names as ruff sorts them: constants, then capitals and small letters alike."""
    ordered = sorted(names, key=lambda name: (_rank(name)[0], _rank(name.lower())[1], name))
    line = f"from {module} import {', '.join(ordered)}"
    return [line] if len(line) <= WIDTH else exploded(f"from {module} import (", ordered, ")")


def _rank(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    parts = re.split(r"(\d+)", name)
    return kind, [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
