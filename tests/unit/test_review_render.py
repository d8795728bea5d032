"""Changes for the terminal, for a pull request and for programs."""

from __future__ import annotations

import json
from io import StringIO

from rich.console import Console

from relay.schema.checks.change import Change, Kind
from relay.schema.checks.diff import diff
from relay.schema.checks.render import as_json, as_markdown, print_text
from tests.unit.review_schemas import record

CHANGES = diff(
    record(("gone", "int"), {"name": "kept", "type": "int", "doc": "a_b*c <i> [x](y) `code"}),
    record({"name": "kept", "type": "long", "doc": "new"}, ("added", "string", "")),
)


def printed(changes: list[Change], *, colour: bool = False) -> str:
    out = StringIO()
    console = Console(
        file=out, force_terminal=colour, color_system="standard" if colour else None, width=40
    )
    print_text(console, "order.paid@1", "order.paid@2", changes)
    return out.getvalue()


def test_the_terminal_shows_a_line_a_change_however_narrow_it_is() -> None:
    lines = printed(CHANGES).splitlines()

    assert lines[0] == "order.paid@1 -> order.paid@2: 4 changes"
    assert len(lines) == 5
    assert lines[1].startswith("- field-removed")
    assert lines[1].endswith("`gone` is gone; it was int, no default.")
    assert [line[0] for line in lines[1:]] == ["-", "+", "~", "~"]


def test_the_terminal_colours_by_effect() -> None:
    text = printed(CHANGES, colour=True)

    for code, sign in (("31", "- field-removed"), ("32", "+ field-added"), ("33", "~ type-prom")):
        assert f"\x1b[{code}m{sign}" in text


def test_brackets_in_docs_are_not_markup_of_the_terminal() -> None:
    change = Change("$", Kind.DOC_CHANGED, None, "[red]", "A doc: [red].")

    assert "A doc: [red]." in printed([change])


def test_markdown_is_a_heading_and_a_list_with_markup_escaped() -> None:
    lines = as_markdown("order.paid@1", "a_b.avsc", CHANGES).splitlines()

    assert lines[0] == "### order.paid@1 → a\\_b.avsc: 4 changes"
    assert lines[2] == "- **field-removed** `gone` is gone; it was int, no default."
    doc = next(line for line in lines if "doc-changed" in line)
    assert "a\\_b\\*c &lt;i&gt; \\[x\\](y) \\`code" in doc


def test_code_in_markdown_keeps_its_text() -> None:
    change = Change("$.a[*].b_c", Kind.DEFAULT_ADDED, None, 1, "`a[*].b_c` has <1>.")

    assert "`a[*].b_c` has &lt;1&gt;." in as_markdown("a", "b", [change])


def test_no_changes_are_reported() -> None:
    assert as_markdown("a", "b", []) == "### a → b: no changes\n"
    assert printed([]) == "order.paid@1 -> order.paid@2: no changes\n"


def test_json_has_every_side_of_a_change() -> None:
    document = json.loads(json.dumps(as_json("a", "b", CHANGES)))

    assert (document["old"], document["new"]) == ("a", "b")
    assert document["changes"][0] == {
        "path": "$.gone",
        "kind": "field-removed",
        "effect": "removed",
        "before": {"name": "gone", "type": "int"},
        "after": None,
        "sentence": "`gone` is gone; it was int, no default.",
    }
