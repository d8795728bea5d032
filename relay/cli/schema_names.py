"""Which schema a word of the command line means: a file, or a version of the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from relay.errors import ConfigurationInvalid, SchemaUnknown
from relay.schema.catalog import Catalog, EventType, SchemaVersion

__all__ = ["NamedSchema", "SchemaNames"]


@dataclass(frozen=True)
class NamedSchema:
    """A schema. name: what people call it; path: its file; previous: the version before it."""

    name: str
    path: Path
    schema: Any
    previous: NamedSchema | None = None


class SchemaNames:
    """Looks schemas up. The catalog is read only where a word is no file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, word: str) -> NamedSchema:
        """The schema that `word` names.

        word: path of an .avsc file, `event_type@version`, or an event type for its active version.
        Raises ConfigurationInvalid when there is none, CatalogInvalid.
        """
        if word.endswith(".avsc"):
            return _file(Path(word))
        event_type, at, number = word.partition("@")
        try:
            if not at:
                return _version(self._catalog.event_type(word), self._catalog.active(word))
            if not number.isdecimal():
                raise ConfigurationInvalid(
                    f"{word!r} names no version. Give event_type@number, such as {event_type}@1"
                )
            version = self._catalog.version(event_type, int(number))
            return _version(self._catalog.event_type(event_type), version)
        except SchemaUnknown as error:
            raise ConfigurationInvalid(str(error)) from None

    def find_all(self, words: Sequence[str]) -> Iterator[NamedSchema]:
        """The schemas that words name, each once; without words the whole catalog.

        A folder names its .avsc files, an event type all of its versions.
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
                raise ConfigurationInvalid(f"the folder {word} holds no .avsc file. Give another")
            yield from map(_file, files)
        elif word.endswith(".avsc") or "@" in word:
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
    earlier = [other for number, other in event_type.versions.items() if number < version.version]
    previous = max(earlier, key=lambda other: other.version, default=None)
    return NamedSchema(
        _called(version),
        version.path,
        version.avsc,
        NamedSchema(_called(previous), previous.path, previous.avsc) if previous else None,
    )


def _called(version: SchemaVersion) -> str:
    return f"{version.event_type}@{version.version}"


def _file(path: Path) -> NamedSchema:
    try:
        schema = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigurationInvalid(f"{path} does not exist. Give an .avsc file") from None
    except (ValueError, OSError) as error:
        raise ConfigurationInvalid(
            f"{path}: not readable as JSON: {error}. Correct the file"
        ) from error
    return NamedSchema(str(path), path, schema)
