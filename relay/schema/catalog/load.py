"""Loads the schemas folder; rejects what is ambiguous, misspelt or missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from relay.errors import CatalogInvalid
from relay.schema.avro.names import record_name
from relay.schema.catalog.avsc import check_usable, read_file
from relay.schema.catalog.entries import (
    Domain,
    EventType,
    SchemaVersion,
    State,
    class_name,
    major_of,
    snake_name,
)
from relay.schema.compatibility.levels import Level

__all__ = ["load_domains"]

DOMAIN_FILE = "domain.yaml"
DEFAULT_PARTITIONS = 8
DOMAIN_KEYS = frozenset(
    {"domain", "topic", "partitions", "owner", "compatibility", "sourceModule", "events"}
)
EVENT_KEYS = frozenset({"aggregate", "versions", "consumers", "doc", "replaces"})
DOMAIN = re.compile(r"[a-z][a-z0-9_]{0,59}")
# Kafka allows 249 characters a topic name, which holds domain and group.
NAME = re.compile(r"[a-z][a-z0-9-]{0,59}")
EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
AVSC_NAME = re.compile(r"(?P<event>.+)\.v(?P<version>[1-9]\d*)\.avsc")


def load_domains(folder: Path) -> dict[str, Domain]:
    """Domains by name. Raises CatalogInvalid, which names the file."""
    if not folder.is_dir():
        raise CatalogInvalid(
            f"schemas folder {folder} does not exist. Set EVENT_BUS_SCHEMAS_DIR to the folder "
            f"that holds <domain>/{DOMAIN_FILE}"
        )
    files = sorted(folder.glob(f"*/{DOMAIN_FILE}"))
    if not files:
        raise CatalogInvalid(
            f"schemas folder {folder} holds no <domain>/{DOMAIN_FILE}. "
            "Set EVENT_BUS_SCHEMAS_DIR to the catalog's folder"
        )
    domains: dict[str, Domain] = {}
    homes: dict[str, Path] = {}
    classes: dict[str, str] = {}
    for file in files:
        domain = _domain(file)
        for name in domain.event_types:
            if name in homes:
                raise CatalogInvalid(
                    f"{file}: event type {name!r} is already in {homes[name]}. Keep one"
                )
            homes[name] = file
            other = classes.setdefault(class_name(name), name)
            if other != name:
                raise CatalogInvalid(
                    f"{file}: event types {name!r} and {other!r} both become the class "
                    f"{class_name(name)}. Rename one"
                )
        domains[domain.name] = domain
    return domains


def _domain(file: Path) -> Domain:
    content = _yaml(file)
    _known_keys(file, "the file", content, DOMAIN_KEYS)
    name = _required(file, "the file", content, "domain", str)
    if not DOMAIN.fullmatch(name) or name != file.parent.name:
        raise CatalogInvalid(
            f"{file}: domain {name!r} must be the folder's name {file.parent.name!r}, "
            "in lower case letters, digits and underscores"
        )
    topic = content.get("topic", f"events.{name}")
    if topic != f"events.{name}":
        raise CatalogInvalid(f"{file}: topic is {topic!r}, must be 'events.{name}'")
    partitions = content.get("partitions", DEFAULT_PARTITIONS)
    if type(partitions) is not int or not 1 <= partitions <= 1024:
        raise CatalogInvalid(f"{file}: partitions is {partitions!r}. Give a number from 1 to 1024")
    compatibility = content.get("compatibility", "BACKWARD")
    if not isinstance(compatibility, str) or compatibility not in set(Level):
        raise CatalogInvalid(
            f"{file}: compatibility is {compatibility!r}. Choose one of {', '.join(sorted(Level))}"
        )
    source_module = content.get("sourceModule", name)
    if not isinstance(source_module, str):
        raise CatalogInvalid(f"{file}: sourceModule is {source_module!r}. Give a name, or leave it")
    events = _required(file, "the file", content, "events", dict)
    event_types = {str(key): _event(file, name, topic, str(key), events[key]) for key in events}
    _no_stray_files(file, event_types)
    for event_type in event_types.values():
        if event_type.replaces is not None and (problem := _major_problem(event_type, event_types)):
            raise CatalogInvalid(f"{file}: event {event_type.name!r} {problem}")
    return Domain(
        name=name,
        topic=topic,
        partitions=partitions,
        owner=_required(file, "the file", content, "owner", str),
        compatibility=compatibility,
        source_module=source_module,
        event_types=event_types,
    )


def _event(file: Path, domain: str, topic: str, name: str, content: Any) -> EventType:
    where = f"event {name!r}"
    if not EVENT_NAME.fullmatch(name):
        raise CatalogInvalid(
            f"{file}: {where} is not an event type. Use letters, digits, _ and dots"
        )
    if not isinstance(content, dict):
        raise CatalogInvalid(f"{file}: {where} must hold aggregate, versions and consumers")
    _known_keys(file, where, content, EVENT_KEYS)
    states = _required(file, where, content, "versions", dict)
    aggregate = _required(file, where, content, "aggregate", str)
    named = {"domain": domain, "topic": topic, "event": name, "aggregate": aggregate}
    versions = {
        number: _version(file, **named, number=number, state=state)
        for number, state in sorted(states.items(), key=lambda item: str(item[0]).zfill(9))
    }
    active = [v.version for v in versions.values() if v.state is State.ACTIVE]
    if len(active) > 1:
        raise CatalogInvalid(
            f"{file}: {where} has {len(active)} active versions, {active}. "
            "Deprecate all but the one that is published"
        )
    replaces = content.get("replaces")
    return EventType(
        name=name,
        domain=domain,
        topic=topic,
        aggregate=aggregate,
        doc=str(content.get("doc") or ""),
        groups=_groups(file, where, content.get("consumers", [])),
        versions=versions,
        replaces=replaces,
        converter=None if replaces is None else file.parent / f"{snake_name(name)}.py",
    )


def _version(
    file: Path, *, domain: str, topic: str, event: str, aggregate: str, number: Any, state: Any
) -> SchemaVersion:
    if type(number) is not int or number < 1:
        raise CatalogInvalid(
            f"{file}: event {event!r}: version {number!r} is not a number from 1 up"
        )
    if not isinstance(state, str) or state not in set(State):
        raise CatalogInvalid(
            f"{file}: event {event!r}: version {number} is {state!r}. "
            f"Choose one of {', '.join(State)}"
        )
    path = file.parent / f"{event}.v{number}.avsc"
    try:
        avsc, text = read_file(path)
    except FileNotFoundError:
        raise CatalogInvalid(
            f"{file}: event {event!r} lists version {number}, but {path} is missing. "
            "Write the schema or take the version out"
        ) from None
    if not isinstance(avsc, dict) or avsc.get("type") != "record":
        raise CatalogInvalid(f"{path}: an event's schema must be a record")
    expected = f"relay.events.{domain}.{class_name(event)}"
    found = record_name(avsc)
    if found != expected:
        raise CatalogInvalid(f"{path}: the record is named {found!r}, must be {expected!r}")
    try:
        check_usable(avsc)
    except CatalogInvalid as error:
        raise CatalogInvalid(f"{path}: {error}") from error
    return SchemaVersion(
        event_type=event,
        aggregate_type=aggregate,
        version=number,
        state=State(state),
        avsc=avsc,
        text=text,
        record_name=expected,
        subject=f"{topic}-{expected}",
        path=path,
    )


def _groups(file: Path, where: str, groups: Any) -> tuple[str, ...]:
    if not isinstance(groups, list):
        raise CatalogInvalid(f"{file}: {where}: consumers must be a list of group names")
    for group in groups:
        if not isinstance(group, str) or not NAME.fullmatch(group):
            raise CatalogInvalid(
                f"{file}: {where}: consumer {group!r} is not a group name. "
                "Use lower case letters, digits and hyphens, at most 60, a letter first"
            )
    if len(set(groups)) < len(groups):
        raise CatalogInvalid(f"{file}: {where}: a consumer is listed twice in {groups}. Remove one")
    return tuple(groups)


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text("utf-8"), Loader=_NoDuplicates)
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise CatalogInvalid(f"{file}: not readable as YAML: {problem}. Correct it") from error
    if not isinstance(content, dict):
        raise CatalogInvalid(f"{file}: must hold keys and values: domain, owner, events, ...")
    return content


class _NoDuplicates(yaml.SafeLoader):
    """YAML forbids a key twice in a mapping, PyYAML takes the last: an event would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise yaml.YAMLError(f"{key!r} occurs twice in one mapping {node.start_mark}")
        return super().construct_mapping(node, deep=deep)


def _known_keys(file: Path, where: str, content: dict[Any, Any], known: Iterable[str]) -> None:
    if unknown := sorted(str(key) for key in content.keys() - set(known)):
        raise CatalogInvalid(
            f"{file}: {where} has unknown keys {', '.join(unknown)}. "
            f"Known are {', '.join(sorted(known))}"
        )


def _required(file: Path, where: str, content: dict[str, Any], key: str, kind: type) -> Any:
    value = content.get(key)
    if not isinstance(value, kind) or not value:
        raise CatalogInvalid(f"{file}: {where} needs {key}, found {value!r}")
    return value


def _no_stray_files(file: Path, event_types: dict[str, EventType]) -> None:
    for path in sorted(file.parent.glob("*.avsc")):
        match = AVSC_NAME.fullmatch(path.name)
        event = event_types.get(match["event"]) if match else None
        if match is None or event is None or int(match["version"]) not in event.versions:
            raise CatalogInvalid(
                f"{path}: no version in {file} belongs to it. List it there under its event's "
                "versions, or remove the file"
            )


def _major_problem(event_type: EventType, event_types: Mapping[str, EventType]) -> str | None:
    former = event_types.get(str(event_type.replaces))
    if former is None:
        return (
            f"replaces {event_type.replaces!r}, which is not an event of this domain. "
            "A major version stays in the topic of the one before it, so that the order is kept"
        )
    base = former.name if former.replaces is None else former.name.rpartition(".")[0]
    expected = f"{base}.v{major_of(former.name) + 1}"
    if event_type.name != expected:
        return f"replaces {former.name}, so it must be named {expected!r}"
    if event_type.aggregate != former.aggregate:
        return (
            f"has the aggregate {event_type.aggregate!r}, {former.name} has "
            f"{former.aggregate!r}. Keep it: events are ordered by it"
        )
    if event_type.converter is None or not event_type.converter.is_file():
        return (
            f"replaces {former.name}, but {event_type.converter} is missing. Write it with the "
            "functions up(payload) and down(payload)"
        )
    return None
