"""The catalog: the whole schemas folder, loaded and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from relay.errors import SchemaUnknown
from relay.schema.catalog.entries import Domain, EventType, SchemaVersion, base_of

__all__ = ["Catalog"]


@dataclass(frozen=True)
class Catalog:
    """All domains of a schemas folder. domains: by name, in order of name."""

    folder: Path
    domains: dict[str, Domain]

    @classmethod
    def load(cls, folder: Path | str) -> Catalog:
        """Reads and checks the whole folder.

        folder: holds `<domain>/domain.yaml` and `<domain>/<event type>.v<N>.avsc`.
        Raises CatalogInvalid, which names the file and what is wrong with it.
        """
        # Imported here, so that using State does not import YAML.
        from relay.schema.catalog.load import load_domains

        return cls(Path(folder), load_domains(Path(folder)))

    @cached_property
    def event_types(self) -> dict[str, EventType]:
        """All event types by name."""
        return {
            event_type.name: event_type
            for domain in self.domains.values()
            for event_type in domain.event_types.values()
        }

    def event_type(self, name: str) -> EventType:
        """Raises SchemaUnknown when the catalog has no such event type."""
        try:
            return self.event_types[name]
        except KeyError:
            raise SchemaUnknown(
                f"event type {name!r} is not in the catalog {self.folder}. Add it to its domain's "
                "domain.yaml with a schema, or correct the name"
            ) from None

    def active(self, event_type: str) -> SchemaVersion:
        """Returns the version under which events of this type are published now.

        Raises SchemaUnknown when there is no such event type, or no active version of it.
        """
        found = self.event_type(event_type).active
        if found is None:
            raise SchemaUnknown(
                f"event type {event_type!r} has no active schema version. "
                "Set one to active in its domain.yaml"
            )
        return found

    def version(self, event_type: str, number: int) -> SchemaVersion:
        """Raises SchemaUnknown when there is no such event type or version."""
        versions = self.event_type(event_type).versions
        try:
            return versions[number]
        except KeyError:
            raise SchemaUnknown(
                f"event type {event_type!r} has no schema version {number}, only "
                f"{', '.join(map(str, versions))}"
            ) from None

    def versions(self) -> list[SchemaVersion]:
        """Every version of every event type, ordered by domain, event type and number."""
        return [v for e in self.event_types.values() for v in e.versions.values()]

    def family(self, event_type: str) -> list[EventType]:
        """All major versions of an event, the oldest first. Raises SchemaUnknown."""
        first = self.event_type(event_type)
        while first.replaces is not None:
            first = self.event_types[first.replaces]
        following = {each.replaces: each for each in self.event_types.values()}
        family = [first]
        while (after := following.get(family[-1].name)) is not None:
            family.append(after)
        return family

    def missing_majors(self, event_type: str, in_use: Iterable[str]) -> list[str]:
        """Major versions of an event, itself included, that are in use and not in the catalog."""
        missing = (name for name in in_use if name not in self.event_types)
        return sorted(name for name in missing if base_of(name) == base_of(event_type))

    def topic(self, event_type: str) -> str:
        """Topic of an event type. Raises SchemaUnknown."""
        return self.event_type(event_type).topic

    @cached_property
    def topics(self) -> dict[str, int]:
        """The domains' topics -> partitions."""
        return {domain.topic: domain.partitions for domain in self.domains.values()}

    @cached_property
    def groups(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Consumer group -> topic -> the event types that it reads there."""
        wanted: dict[str, dict[str, list[str]]] = {}
        for event_type in self.event_types.values():
            for group in event_type.groups:
                wanted.setdefault(group, {}).setdefault(event_type.topic, []).append(
                    event_type.name
                )
        return {
            group: {topic: tuple(names) for topic, names in topics.items()}
            for group, topics in sorted(wanted.items())
        }

    def all_topics(self) -> dict[str, int]:
        """Every topic that `relay migrate` creates -> partitions: the domains' topics, and each
        group's dead-letter and retry topics, whose one partition keeps what failed in order."""
        wide = dict(self.topics)
        for group, topics in self.groups.items():
            for topic in topics:
                wide[self.dlq_topic(topic, group)] = 1
                wide[self.retry_topic(topic, group)] = 1
        return wide

    @staticmethod
    def dlq_topic(topic: str, group: str) -> str:
        """Topic for dead letters of `group` from `topic`: `<topic>.<group>.dlq`."""
        return f"{topic}.{group}.dlq"

    @staticmethod
    def retry_topic(topic: str, group: str) -> str:
        """Topic for replays to `group` only: `<topic>.<group>.retry`."""
        return f"{topic}.{group}.retry"
