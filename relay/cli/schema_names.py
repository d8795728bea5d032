"""Finds the schema that an argument of the command line names: a file, or a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from relay.errors import CatalogInvalid, ConfigurationInvalid, SchemaUnknown
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.parse import read_schema
from relay.schema.catalog import Catalog, EventType, SchemaVersion
from relay.schema.catalog.avsc import read_file

__all__ = ["NamedSchema", "SchemaNames"]


@dataclass(frozen=True)
class NamedSchema:
    """A schema. name: its file or version; path: its file.

    previous: JSON of the version before it. problem: why the file can't be read as a schema.
    """

    name: str
    path: Path
    schema: Any
    previous: Any | None = None
    problem: str | None = None


class SchemaNames:
    """Finds schemas. The catalog is read only where a word does not name a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, word: str) -> NamedSchema:
        """The schema that `word` names.

        word: path of an .avsc file, `event_type@version`, or an event type for its active version.
        Raises ConfigurationInvalid when there is none, CatalogInvalid.
        """
        if word.endswith(".avsc"):
            found = _file(Path(word))
            if found.problem is not None:
                raise CatalogInvalid(found.problem)
            return found
        event_type, at, number = word.partition("@")
        try:
            if not at:
                return _version(self._catalog.event_type(word), self._catalog.active(word))
            if not number.isdecimal():
                raise ConfigurationInvalid(
                    f"{word!r} is not a version. Give event_type@number, such as {event_type}@1"
                )
            version = self._catalog.version(event_type, int(number))
            return _version(self._catalog.event_type(event_type), version)
        except SchemaUnknown as error:
            raise ConfigurationInvalid(str(error)) from None

    def find_all(self, words: Sequence[str]) -> Iterator[NamedSchema]:
        """The schemas that words name, each once; without words the whole catalog.

        A file that can't be read is among them, with its problem. A folder names its .avsc files,
        an event type all of its versions.
        """
        if not words:
            words = list(self._catalog.event_types)
        seen: set[Path] = set()
        for word in words:
            for schema in self._find_each(word):
                if schema.path.resolve() not in seen:
                    seen.add(schema.path.resolve())
                    yield schema

    def _find_each(self, word: str) -> Iterator[NamedSchema]:
        if Path(word).is_dir():
            files = sorted(Path(word).rglob("*.avsc"))
            if not files:
                raise ConfigurationInvalid(f"the folder {word} has no .avsc file. Give another")
            yield from map(_file, files)
        elif word.endswith(".avsc"):
            yield _file(Path(word))
        elif "@" in word:
            yield self.find(word)
        else:
            try:
                event_type = self._catalog.event_type(word)
            except SchemaUnknown as error:
                raise ConfigurationInvalid(str(error)) from None
            for version in event_type.versions.values():
                yield _version(event_type, version)

    @cached_property
    def _catalog(self) -> Catalog:
        return Catalog.load(self._folder)


def _version(event_type: EventType, version: SchemaVersion) -> NamedSchema:
    earlier = [v.avsc for number, v in event_type.versions.items() if number < version.version]
    name = f"{version.event_type}@{version.version}"
    return NamedSchema(name, version.path, version.avsc, earlier[-1] if earlier else None)


def _file(path: Path) -> NamedSchema:
    try:
        schema = read_file(path).schema
        read_schema(schema)
    except FileNotFoundError:
        raise ConfigurationInvalid(f"{path} does not exist. Give an .avsc file") from None
    except SchemaInvalid as error:
        return NamedSchema(str(path), path, None, problem=f"{path}: {error}")
    except CatalogInvalid as error:
        return NamedSchema(str(path), path, None, problem=str(error))
    return NamedSchema(str(path), path, schema)
