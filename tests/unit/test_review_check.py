"""Which versions are compared with which, and which are stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.schema.catalog import Catalog
from relay.schema.checks.base import Base, BaseType, Earlier, base_of_catalog
from relay.schema.checks.check import CheckedVersion, check
from relay.schema.checks.plan import Status, plan
from relay.schema.checks.probe import Direction
from relay.schema.compatibility.levels import Level
from tests.unit.review_schemas import decimal, enum, record

EVENT = "order.paid"


def paid(*fields: Any, **more: Any) -> Any:
    """A schema of order.paid without findings of lint."""
    named = [{"name": n, "type": t, "doc": "A field.", **rest} for n, t, rest in fields]
    return record(*named, namespace="relay.events.orders", **{"doc": "Paid.", **more})


ONE = paid(("order", "string", {}))
COMPATIBLE = paid(("order", "string", {}), ("note", "string", {"default": ""}))
INCOMPATIBLE = paid(("order", "string", {}), ("note", "string", {}))


def catalog(
    folder: Path,
    versions: Mapping[int, Any],
    level: str = "BACKWARD",
    states: Mapping[int, str] | None = None,
) -> Catalog:
    """A catalog with these versions of order.paid, deprecated where `states` has none."""
    home = folder / "orders"
    home.mkdir(parents=True, exist_ok=True)
    for number, schema in versions.items():
        (home / f"{EVENT}.v{number}.avsc").write_text(json.dumps(schema))
    given = states or {}
    listed = ", ".join(f"{number}: {given.get(number, 'deprecated')}" for number in versions)
    (home / "domain.yaml").write_text(
        f"domain: orders\nowner: Orders\ncompatibility: {level}\nevents:\n  {EVENT}:\n"
        f"    aggregate: order\n    versions: {{{listed}}}\n    consumers: [billing, timeline]\n"
    )
    return Catalog.load(folder)


@pytest.fixture
def checked(tmp_path: Path) -> Any:
    """Checks the versions after the change against those before it."""

    def run(
        before: Mapping[int, Any], after: Mapping[int, Any], level: str = "BACKWARD"
    ) -> list[CheckedVersion]:
        base = base_of_catalog(catalog(tmp_path / "before", before, level), "main")
        tasks = plan(catalog(tmp_path / "after", after, level), base, [EVENT])
        return [check(task) for task in tasks]

    return run


def test_what_has_not_changed_is_not_checked(checked: Any) -> None:
    assert checked({1: ONE, 2: COMPATIBLE}, {1: ONE, 2: COMPATIBLE}) == []


def test_a_new_version_that_reads_the_one_before_it_passes(checked: Any) -> None:
    [found] = checked({1: ONE}, {1: ONE, 2: COMPATIBLE})

    assert (found.task.name, found.task.status, found.passed) == ("order.paid@2", Status.NEW, True)
    assert found.task.groups == ("billing", "timeline")
    [comparison] = found.comparisons
    assert comparison.earlier == "order.paid@1"
    assert [change.path for change in comparison.changes] == ["$.note"]


@pytest.mark.parametrize("state", ["proposed", "approved"])
def test_a_version_that_is_not_active_yet_may_still_change_or_go(
    tmp_path: Path, state: str
) -> None:
    before = catalog(tmp_path / "before", {1: ONE, 2: INCOMPATIBLE}, states={2: state})
    base = base_of_catalog(before, "main")
    changed = catalog(tmp_path / "changed", {1: ONE, 2: COMPATIBLE}, states={2: state})
    gone = catalog(tmp_path / "gone", {1: ONE})

    [task] = plan(changed, base, [EVENT])

    assert (task.status, [one.name for one in task.earlier]) == (Status.NEW, ["order.paid@1"])
    assert check(task).passed
    assert plan(gone, base, [EVENT]) == []


def test_a_new_version_that_cannot_read_the_one_before_it_is_stopped(checked: Any) -> None:
    [found] = checked({1: ONE}, {1: ONE, 2: INCOMPATIBLE})

    assert not found.passed
    [comparison] = found.comparisons
    [broken] = comparison.incompatibilities
    assert broken.direction is Direction.BACKWARD
    assert broken.rule == "READER_FIELD_MISSING_DEFAULT_VALUE"
    assert broken.fix in broken.sentence
    assert comparison.failures


def test_the_level_decides_which_direction_stops_a_version(checked: Any) -> None:
    [backward] = checked({1: COMPATIBLE}, {1: COMPATIBLE, 2: INCOMPATIBLE}, "BACKWARD")
    [forward] = checked({1: INCOMPATIBLE}, {1: INCOMPATIBLE, 2: ONE}, "FORWARD")
    [allowed] = checked({1: INCOMPATIBLE}, {1: INCOMPATIBLE, 2: ONE}, "BACKWARD")

    assert backward.passed
    assert [i.direction for i in forward.comparisons[0].incompatibilities] == [Direction.FORWARD]
    assert allowed.passed
    # The reviewer still sees what consumers of the old version run into.
    assert {failure.direction for failure in allowed.comparisons[0].beyond} == {Direction.FORWARD}


@pytest.mark.parametrize(
    ("level", "earlier"),
    [
        ("BACKWARD", ["order.paid@2"]),
        ("BACKWARD_TRANSITIVE", ["order.paid@1", "order.paid@2"]),
        ("NONE", ["order.paid@2"]),
    ],
)
def test_a_transitive_level_compares_with_every_earlier_version(
    checked: Any, level: str, earlier: list[str]
) -> None:
    [found] = checked({1: ONE, 2: COMPATIBLE}, {1: ONE, 2: COMPATIBLE, 3: ONE}, level)

    assert [comparison.earlier for comparison in found.comparisons] == earlier


def test_the_second_of_two_new_versions_has_to_go_with_the_first(checked: Any) -> None:
    _, third = checked({1: ONE}, {1: ONE, 2: COMPATIBLE, 3: INCOMPATIBLE})

    assert [comparison.earlier for comparison in third.comparisons] == ["order.paid@2"]


def test_a_new_version_is_compared_with_what_the_base_had_and_not_with_its_edited_file(
    checked: Any,
) -> None:
    _, second = checked({1: ONE}, {1: INCOMPATIBLE, 2: INCOMPATIBLE})

    assert second.comparisons[0].incompatibilities


@pytest.mark.parametrize(
    "edited",
    [
        paid(("order", "bytes", {})),
        paid(("order", "string", {"default": "none"})),
        paid(("order", "string", {"aliases": ["id"]})),
        paid(("order", {"type": "string", "logicalType": "uuid"}, {})),
    ],
    ids=["type", "default", "alias", "logical type"],
)
def test_a_version_that_was_changed_in_place_is_stopped(checked: Any, edited: Any) -> None:
    [found] = checked({1: ONE}, {1: edited})

    assert (found.task.status, found.problem, found.passed) == (
        Status.CHANGED,
        "changed",
        False,
    )
    assert found.changes


def test_other_docs_and_properties_of_a_version_do_not_stop_it(checked: Any) -> None:
    edited = paid(("order", "string", {"pii": False}), doc="The order is paid.")

    [found] = checked({1: ONE}, {1: edited})

    assert (found.task.status, found.passed) == (Status.REWORDED, True)
    assert {change.kind for change in found.changes} == {"doc-changed", "property-changed"}
    assert found.comparisons == ()


def test_other_spacing_of_a_file_is_not_a_change(tmp_path: Path) -> None:
    base = base_of_catalog(catalog(tmp_path, {1: ONE}), "main")
    path = tmp_path / "orders" / f"{EVENT}.v1.avsc"
    path.write_text(json.dumps(ONE, indent=2))

    assert plan(Catalog.load(tmp_path), base, [EVENT]) == []


def test_a_deleted_version_is_stopped_and_still_compared_with(checked: Any) -> None:
    third, gone = checked({1: ONE, 2: COMPATIBLE}, {1: ONE, 3: INCOMPATIBLE})

    assert (gone.task.name, gone.problem, gone.passed) == ("order.paid@2", "deleted", False)
    assert [comparison.earlier for comparison in third.comparisons] == ["order.paid@2"]


def test_all_versions_of_a_deleted_event_type_are_stopped(tmp_path: Path) -> None:
    base = base_of_catalog(catalog(tmp_path, {1: ONE}), "main")
    without = Base("main", {**base.event_types, "order.gone": base.event_types[EVENT]})

    [task] = plan(Catalog.load(tmp_path), without, ["order.gone"])

    assert (task.status, task.groups) == (Status.DELETED, ("billing", "timeline"))


def test_an_error_of_lint_stops_a_new_version_and_not_one_that_had_it(checked: Any) -> None:
    careless = paid(("amount", decimal(12, 2), {}))
    both = {1: ONE, 2: careless}

    [new] = checked({1: ONE}, both, "NONE")
    [edited] = checked(both, {**both, 2: {**careless, "doc": "Other words."}}, "NONE")

    assert [finding.rule for finding in new.findings] == ["money-without-currency"]
    assert (new.passed, edited.passed) == (False, True)


def test_a_decimal_of_another_scale_is_stopped_though_it_is_compatible(checked: Any) -> None:
    first, second = (paid(("weight", decimal(12, scale), {})) for scale in (2, 4))

    [found] = checked({1: first}, {1: first, 2: second})

    [comparison] = found.comparisons
    assert comparison.incompatibilities == ()
    assert comparison.failures
    assert [finding.rule for finding in comparison.findings] == ["decimal-scale"]
    assert not found.passed


def test_a_probe_that_ran_out_of_time_is_reported_and_does_not_stop(tmp_path: Path) -> None:
    base = base_of_catalog(catalog(tmp_path / "before", {1: ONE}), "main")
    [task] = plan(catalog(tmp_path / "after", {1: ONE, 2: COMPATIBLE}), base, [EVENT])

    found = check(task, seconds=-1)

    assert found.passed
    assert {failure.outcome for failure in found.comparisons[0].beyond} == {"not-probed"}


def registered(*schemas: Any, level: str | None = "BACKWARD") -> Base:
    versions = tuple(Earlier(f"registered {n}", n, schema) for n, schema in enumerate(schemas, 7))
    return Base("the registry", {EVENT: BaseType(versions, level)}, numbered=False)


def test_a_registrys_versions_are_known_by_content_and_not_by_number(tmp_path: Path) -> None:
    now = catalog(tmp_path, {1: ONE, 2: COMPATIBLE})

    assert plan(now, registered(COMPATIBLE, ONE), [EVENT]) == []


def test_a_version_that_the_registry_lacks_is_compared_with_its_latest(tmp_path: Path) -> None:
    now = catalog(tmp_path, {1: ONE, 2: COMPATIBLE})

    [task] = plan(now, registered(ONE), [EVENT])

    assert (task.name, task.status) == ("order.paid@2", Status.NEW)
    assert [earlier.name for earlier in task.earlier] == ["registered 7"]


def test_a_registered_version_without_a_file_is_stopped(tmp_path: Path) -> None:
    tasks = plan(catalog(tmp_path, {1: ONE}), registered(ONE, COMPATIBLE), [EVENT])

    assert [(task.name, task.status) for task in tasks] == [("registered 8", Status.DELETED)]


def test_texts_that_the_registry_keeps_from_before_a_change_of_docs_do_not_count_as_deleted(
    tmp_path: Path,
) -> None:
    reworded = {**ONE, "doc": "Other words."}

    assert plan(catalog(tmp_path, {1: reworded}), registered(ONE, reworded), [EVENT]) == []


def test_a_version_that_adds_only_docs_is_new_beside_the_registered_one(tmp_path: Path) -> None:
    now = catalog(tmp_path, {1: ONE, 2: {**ONE, "doc": "Other words."}})

    [task] = plan(now, registered(ONE), [EVENT])

    assert (task.name, task.status) == ("order.paid@2", Status.NEW)


@given(
    levels=st.sampled_from(Level),
    symbols=st.lists(st.sampled_from("ABC"), min_size=1, unique=True),
    later=st.lists(st.sampled_from("ABC"), min_size=1, unique=True),
)
def test_a_version_passes_by_its_level_exactly_when_all_symbols_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, levels: Level, symbols: list[str], later: list[str]
) -> None:
    old, new = (paid(("by", enum(*s, doc="Who."), {"pii": False})) for s in (symbols, later))
    folder = tmp_path_factory.mktemp("symbols")
    base = base_of_catalog(catalog(folder / "before", {1: old}, levels), "main")
    [task] = plan(catalog(folder / "after", {1: old, 2: new}, levels), base, [EVENT])

    lost_backward = levels.new_reads_old and not set(symbols) <= set(later)
    lost_forward = levels.old_reads_new and not set(later) <= set(symbols)

    assert check(task).passed == (not lost_backward and not lost_forward)
