"""`relay schemas check` in a git repository, with no network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from relay.cli.schemas import app
from relay.errors import CatalogInvalid, ConfigurationInvalid
from tests.unit.review_schemas import record

DOMAIN = """\
domain: orders
owner: OrdersService
compatibility: {level}
events:
  order.paid:
    aggregate: order
    versions: {{{states}}}
    consumers: [billing]
"""


def schema(*fields: tuple[Any, ...], doc: str = "Paid.") -> Any:
    named = [{"name": n, "type": t, "doc": "A field.", **rest} for n, t, rest in fields]
    return record(*named, namespace="relay.events.orders", doc=doc)


ORDER = ("order", "string", {})
FIRST = schema(ORDER)
COMPATIBLE = schema(ORDER, ("note", "string", {"default": ""}))
INCOMPATIBLE = schema(ORDER, ("note", "string", {}))

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the versions of order.paid, which a repository has the first of."""
    folder = tmp_path / "schemas" / "orders"
    folder.mkdir(parents=True)

    def versions(*found: Any, level: str = "BACKWARD") -> None:
        for path in folder.glob("*.avsc"):
            path.unlink()
        for number, one in enumerate(found, 1):
            (folder / f"order.paid.v{number}.avsc").write_text(json.dumps(one))
        states = ", ".join(f"{number}: deprecated" for number in range(1, len(found) + 1))
        (folder / "domain.yaml").write_text(DOMAIN.format(states=states, level=level))

    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", "schemas")
    monkeypatch.chdir(tmp_path)
    versions(FIRST)
    git("init", "--quiet")
    # What is left out of archives is reviewed all the same.
    (tmp_path / ".gitattributes").write_text("*.avsc export-ignore\n")
    commit()
    return versions


def git(*words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        check=True,
        capture_output=True,
    )


def commit() -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "schemas")


def check(*words: str) -> Result:
    result = CliRunner().invoke(app, ["check", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_nothing_changed_is_reported_and_exits_0(write: Write) -> None:
    result = check()

    assert result.exit_code == 0
    assert result.stdout.startswith("No schema has changed since HEAD (")


def test_a_compatible_version_passes_with_its_changes_in_words(write: Write) -> None:
    write(FIRST, COMPATIBLE)

    result = check()

    assert result.exit_code == 0
    assert "order.paid@2 is new: passes" in result.stdout
    assert "Compared with order.paid@1 by BACKWARD: compatible." in result.stdout
    assert "`note` is new: string" in result.stdout
    assert "Groups in the domain file: billing." in result.stdout
    assert result.stderr == "order.paid@2: new, comparing with order.paid@1\n"


def test_an_incompatible_version_exits_1_with_the_way_out(write: Write) -> None:
    write(FIRST, INCOMPATIBLE)

    result = check("--json")

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    [version] = document["versions"]
    [comparison] = version["comparisons"]
    [broken] = comparison["incompatibilities"]
    assert (document["passed"], version["status"], comparison["compatible"]) == (
        False,
        "new",
        False,
    )
    assert (broken["rule"], broken["field"]) == ("READER_FIELD_MISSING_DEFAULT_VALUE", "note")
    assert broken["fix"]
    assert [failure["stops"] for failure in comparison["probe"]] == [True]


def test_a_file_that_was_changed_in_place_exits_1(write: Write) -> None:
    write(COMPATIBLE)

    result = check()

    assert result.exit_code == 1
    assert "order.paid@1 was changed in place: stopped" in result.stdout


def test_a_change_of_docs_is_a_warning(write: Write) -> None:
    write(schema(ORDER, doc="The order is paid."))

    result = check()

    assert result.exit_code == 0
    assert "  warning An existing version was edited." in result.stdout


def test_a_deleted_version_exits_1(write: Write) -> None:
    write(FIRST, COMPATIBLE)
    commit()
    write(FIRST)

    result = check()

    assert result.exit_code == 1
    assert "order.paid@2 is gone: stopped" in result.stdout


def test_another_revision_and_only_the_event_types_that_are_asked_for(write: Write) -> None:
    write(FIRST, COMPATIBLE)
    commit()

    assert "No schema has changed" in check("order.paid").stdout
    assert "order.paid@2 is new" in check("order.paid", "--against", "HEAD~1").stdout
    with pytest.raises(ConfigurationInvalid, match=r"order\.payd"):
        check("order.payd")


def test_a_revision_without_schemas_makes_everything_new(write: Write) -> None:
    git("rm", "--quiet", "-r", "--cached", "schemas")
    git("commit", "--quiet", "--message", "none")

    assert "order.paid@1 is new: passes" in check().stdout


def test_a_schemas_folder_that_was_moved_is_compared_with_where_it_was(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(INCOMPATIBLE)
    Path("schemas").rename("catalog")
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", "catalog")

    result = check()

    assert result.exit_code == 1
    assert "order.paid@1 was changed in place: stopped" in result.stdout
    assert "has the schemas in schemas/\n" in result.stderr


def test_which_of_several_folders_that_are_gone_was_moved_is_not_guessed(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree("schemas", "other")
    commit()
    rmtree("other")
    Path("schemas").rename("catalog")
    monkeypatch.setenv("EVENT_BUS_SCHEMAS_DIR", "catalog")

    with pytest.raises(ConfigurationInvalid, match="several folders that are gone had them: other"):
        check()


def test_an_empty_revision_is_refused_and_not_read_as_head(write: Write) -> None:
    # As of "$(git merge-base origin/main HEAD)" in a clone that is too shallow
    with pytest.raises(ConfigurationInvalid, match="--against is empty"):
        check("--against", "")


def test_a_hook_of_a_linked_work_tree_compares_the_same_folder(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(INCOMPATIBLE)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))

    assert "order.paid@1 was changed in place: stopped" in check().stdout


@pytest.mark.parametrize("state", ["proposed", "approved"])
def test_a_version_in_use_does_not_become_a_proposal_that_may_change(
    write: Write, state: str
) -> None:
    domain = Path("schemas/orders/domain.yaml")
    domain.write_text(domain.read_text().replace("1: deprecated", f"1: {state}"))

    result = check("--json")

    assert result.exit_code == 1
    [version] = json.loads(result.stdout)["versions"]
    assert (version["status"], version["problem"]) == ("demoted", "demoted")
    assert "List it as it was; to abandon it, list it as retired" in check().stdout


def test_markdown_is_a_heading_a_version(write: Write) -> None:
    write(FIRST, INCOMPATIBLE, level="FULL")

    lines = check("--format", "markdown").stdout.splitlines()

    assert lines[0] == "## Schemas"
    assert "### order.paid@2 is new: stopped" in lines
    assert any(line.startswith("- **error** events of the old version") for line in lines)
    assert any("orders is FULL" in line for line in lines if line.startswith("- **note**"))


def test_an_unknown_revision_is_one_line_that_names_it(write: Write) -> None:
    for name in ("nowhere", "--help"):
        with pytest.raises(ConfigurationInvalid, match=f"no revision '{name}'") as raised:
            check(f"--against={name}")
        assert raised.value.exit_code == 2
        assert "\n" not in str(raised.value)


def test_outside_of_a_checkout_the_error_names_the_registry_as_an_alternative(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(ConfigurationInvalid, match="--against-registry") as raised:
        check()

    assert "\n" not in str(raised.value)


def test_a_revision_whose_catalog_cannot_be_read_is_named_with_its_file(write: Write) -> None:
    Path("schemas/orders/domain.yaml").write_text("domain: other\n")
    commit()
    write(FIRST)

    with pytest.raises(CatalogInvalid, match=r"HEAD:schemas/orders/domain\.yaml"):
        check()


def test_revision_and_registry_at_once_are_refused(write: Write) -> None:
    with pytest.raises(ConfigurationInvalid, match="one of"):
        check("--against", "HEAD", "--against-registry")


def test_a_domain_s_level_is_loosened_only_when_that_is_accepted(write: Write) -> None:
    write(FIRST, level="NONE")

    stopped, markdown, accepted = (
        check("--json"),
        check("--format", "markdown"),
        check("--json", "--accept-level", "orders"),
    )

    assert (stopped.exit_code, markdown.exit_code, accepted.exit_code) == (1, 1, 0)
    document = json.loads(stopped.stdout)
    [level] = document["levels"]
    assert (document["passed"], level["was"], level["now"]) == (False, "BACKWARD", "NONE")
    assert (level["loosened"], level["accepted"]) == (True, False)
    assert "**error** The compatibility level of domain orders is NONE" in markdown.stdout
    assert json.loads(accepted.stdout)["levels"] == [
        {
            **level,
            "accepted": True,
            "sentence": json.loads(accepted.stdout)["levels"][0]["sentence"],
        }
    ]


def test_a_domain_s_level_may_be_tightened(write: Write) -> None:
    write(FIRST, level="FULL")

    result = check()

    assert result.exit_code == 0
    assert "note    The compatibility level of domain orders is FULL" in result.stdout


def test_a_level_is_accepted_of_a_domain_that_there_is(write: Write) -> None:
    with pytest.raises(ConfigurationInvalid, match="'ordres' is not in the catalog"):
        check("--accept-level", "ordres")


MAJOR = """\
  order.paid.v2:
    replaces: order.paid
    aggregate: order
    versions: {1: proposed}
"""
CONVERTER = """
def up(payload):
    return {{"id": payload["order"]}}

def down(payload):
    return {{"order": {}}}
"""


def add_major(converter: str) -> None:
    """Writes order.paid.v2, whose field has another name and type."""
    folder = Path("schemas/orders")
    if "order.paid.v2" not in (folder / "domain.yaml").read_text():
        with (folder / "domain.yaml").open("a") as file:
            file.write(MAJOR)
    avsc = {**schema(("id", "string", {})), "name": "OrderPaidV2"}
    (folder / "order.paid.v2.v1.avsc").write_text(json.dumps(avsc))
    (folder / "order_paid_v2.py").write_text(converter)


def test_a_major_version_is_checked_with_its_converter(write: Write) -> None:
    write({**FIRST, "name": "OrderPaid"})
    add_major(CONVERTER.format('payload["id"]'))
    good = check()
    assert good.exit_code == 0, good.output
    assert "The converter between order.paid and order.paid.v2: passes" in good.stdout
    assert json.loads(check("--json").stdout)["converters"] == [
        {
            "eventType": "order.paid.v2", "replaces": "order.paid", "passed": True, "failures": [],
            "lost": [], "lostNewer": [], "refusal": None, "unprobed": [],
        }
    ]  # fmt: skip

    # One that was there before is tried as well, and a worse one stops the change
    commit()
    add_major(CONVERTER.format('None if "x" in payload["id"] else payload["id"][:3]'))
    bad = check("--format", "markdown")
    assert bad.exit_code == 1
    assert "The converter of order.paid.v2 fails: stopped." in bad.stdout
    assert "### The converter between order.paid and order.paid.v2: stopped" in bad.stdout
    assert "**error** down fails at $.order" in bad.stdout
    assert "**warning** Of order.paid, order can differ" in bad.stdout
    assert check("order.paid").exit_code == 1
    add_major("def up(p):\n    return p\n")
    assert "no function down(payload)" in check().stdout
