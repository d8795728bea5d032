"""Client of any schema registry with Confluent's API.

Source: Confluent Schema Registry API reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx

from relay.errors import (
    CatalogInvalid,
    ConfigurationInvalid,
    RegistryUnavailable,
    SchemaUnknown,
)
from relay.schema.avro.fingerprint import logical_digest, rabin
from relay.schema.client.answer import RegistryRefused, content_of, without_password
from relay.schema.client.references import whole_schema

__all__ = ["RegistryClient", "RegistryRefused"]

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_NOTHING: Mapping[str, type] = MappingProxyType({})


class RegistryClient:
    """Reads and registers schemas; caches only answers that can't change, and those forever.

    Thread-safe. Nothing but `register` and `set_compatibility` changes the registry.
    """

    def __init__(
        self, url: str, *, connect_timeout: float = 2.0, read_timeout: float = 5.0
    ) -> None:
        """url: one or several of the same registry, separated by commas, each with
        `user:password@` where needed; timeouts in seconds.
        Raises ConfigurationInvalid.
        """
        self._urls = [part.strip().rstrip("/") for part in url.split(",") if part.strip()]
        for part in self._urls:
            if not _is_url(part):
                raise ConfigurationInvalid(
                    f"EVENT_BUS_SCHEMA_REGISTRY_URL has {without_password(part)!r}, "
                    "which is not a URL: write http://host:port"
                )
        if not self._urls:
            raise ConfigurationInvalid(
                "EVENT_BUS_SCHEMA_REGISTRY_URL is empty: set http://host:port"
            )
        self._http = httpx.Client(
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            headers={"Accept": f"{_MEDIA_TYPE}, application/json"},
        )
        # By subject, fingerprint and logical digest, which is None for id_of_fingerprint.
        self._ids: dict[tuple[str, bytes, bytes | None], int] = {}
        self._schemas: dict[int, Any] = {}

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def id_of(self, subject: str, schema_text: str, fingerprint: bytes) -> int:
        """Returns the id for the frame of bytes that were written with this schema.

        fingerprint: CRC-64-AVRO of the schema's Parsing Canonical Form, 8 bytes. The registry's
        text must have that fingerprint and the logical types of `schema_text`: under another
        decimal scale the same bytes are another amount. Version numbers are not compared, since
        the registry's may differ from the catalog's.
        Raises SchemaUnknown when no version of the subject matches, RegistryUnavailable.
        """
        wanted = _meaning(schema_text)
        if wanted is None or wanted[0] != fingerprint:
            raise self._unknown(subject, fingerprint)
        if (known := self._ids.get((subject, *wanted))) is not None:
            return known
        found = self.lookup(subject, schema_text)
        if found is None or _meaning(found["schema"]) != wanted:
            versions = self._versions(subject)
            found = next((each for each in versions if _meaning(each["schema"]) == wanted), None)
        if found is None:
            raise self._unknown(subject, fingerprint)
        return self._ids.setdefault((subject, *wanted), int(found["id"]))

    def id_of_fingerprint(self, subject: str, fingerprint: bytes) -> int:
        """As `id_of` where the text is unknown: compares all versions.

        Raises SchemaUnknown, also when versions with the fingerprint differ by logical types;
        RegistryUnavailable.
        """
        if (known := self._ids.get((subject, fingerprint, None))) is not None:
            return known
        found = {
            meaning: int(each["id"])
            for each in self._versions(subject)
            if (meaning := _meaning(each["schema"])) is not None and meaning[0] == fingerprint
        }
        if not found:
            raise self._unknown(subject, fingerprint)
        if len(found) > 1:
            ids = ", ".join(map(str, sorted(found.values())))
            raise SchemaUnknown(
                f"subject {subject!r} has the fingerprint {fingerprint.hex()} with different "
                f"logical types (ids {ids}), so the bytes are ambiguous. Add the schema that "
                "they were written with to the catalog, and have it approved"
            )
        return self._ids.setdefault((subject, fingerprint, None), *found.values())

    def schema(self, schema_id: int) -> Any:
        """Returns the JSON of the schema with this id, a dict for a record.

        The types of schemas that it refers to are in it. Raises SchemaUnknown, RegistryUnavailable.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        found = self._ask("GET", f"/schemas/ids/{schema_id}", having={"schema": str})
        if found is None:
            raise SchemaUnknown(
                f"the schema registry has no schema with id {schema_id}. "
                "Check that EVENT_BUS_SCHEMA_REGISTRY_URL is the registry of this cluster"
            )
        schema = whole_schema(found, self._version, f"the schema with id {schema_id}")
        return self._schemas.setdefault(schema_id, schema)

    def lookup(self, subject: str, schema_text: str) -> dict[str, Any] | None:
        """Returns {"subject", "version", "id", "schema"} of this text under the subject, or None.

        Raises RegistryUnavailable, RegistryRefused when the text is not a schema.
        """
        found = self._ask(
            "POST",
            f"/subjects/{_quoted(subject)}",
            {"schema": schema_text},
            having={"id": int, "schema": str},
        )
        return dict(found) if found is not None else None

    def versions(self, subject: str) -> list[tuple[int, Any]]:
        """Lists (version, JSON of the schema) of a subject, oldest first.

        Raises SchemaUnknown where one is not Avro, RegistryUnavailable.
        """
        found = [
            (
                one["version"],
                whole_schema(one, self._version, f"version {one['version']} of {subject!r}"),
            )
            for one in self._versions(subject)
        ]
        return found[::-1]

    def register(self, subject: str, schema_text: str) -> int:
        """Registers a schema, or finds it where it is registered, and returns its id.

        Raises RegistryRefused, RegistryUnavailable.
        """
        found = self._ask(
            "POST",
            f"/subjects/{_quoted(subject)}/versions",
            {"schema": schema_text},
            having={"id": int},
        )
        if found is None:
            raise RegistryRefused(40401, f"there is nothing to register {subject!r} with")
        return int(found["id"])

    def compatibility(self, subject: str) -> str | None:
        """Returns the level of the subject itself, None where it follows the global one."""
        found = self._ask(
            "GET",
            f"/config/{_quoted(subject)}",
            also_absent=frozenset({40408}),
            having={"compatibilityLevel": str},
        )
        return str(found["compatibilityLevel"]) if found is not None else None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Sets the subject's level. Raises RegistryRefused, RegistryUnavailable."""
        self._ask("PUT", f"/config/{_quoted(subject)}", {"compatibility": level})

    @staticmethod
    def _unknown(subject: str, fingerprint: bytes) -> SchemaUnknown:
        return SchemaUnknown(
            f"the schema with fingerprint {fingerprint.hex()} is not registered under subject "
            f"{subject!r}. Register it: relay schemas register"
        )

    def _version(self, subject: str, version: int) -> Any:
        address = f"/subjects/{_quoted(subject)}/versions/{version}?deleted=true"
        return self._ask("GET", address, having={"schema": str})

    def _versions(self, subject: str) -> Iterator[dict[str, Any]]:
        address = f"/subjects/{_quoted(subject)}/versions"
        wanted = {"id": int, "version": int, "schema": str}
        for version in reversed(self._ask("GET", address, having=list) or []):
            # A version may be deleted between the two requests.
            if (found := self._ask("GET", f"{address}/{version}", having=wanted)) is not None:
                yield found

    def _ask(
        self,
        method: str,
        address: str,
        body: dict[str, Any] | None = None,
        also_absent: frozenset[int] = frozenset(),
        having: Mapping[str, type] | type[list[Any]] = _NOTHING,
    ) -> Any:
        """Returns the answer's JSON, None when the thing does not exist; see `content_of`."""
        return content_of(self._send(method, address, body), having, also_absent)

    def _send(self, method: str, address: str, body: dict[str, Any] | None) -> httpx.Response:
        """Returns the first answer that is not an outage; tries the URL that worked last first."""
        problems = []
        for url in self._urls:
            try:
                response = self._http.request(
                    method,
                    url + address,
                    content=None if body is None else json.dumps(body).encode(),
                    headers={"Content-Type": _MEDIA_TYPE},
                )
            except (httpx.HTTPError, UnicodeError) as error:  # the latter for a host's name
                problems.append(f"{without_password(url)}: {error or type(error).__name__}")
                continue
            if response.status_code in (401, 403):
                problems.append(f"{without_password(url)}: other credentials are needed")
            elif response.status_code >= 500 or response.status_code in (408, 429):
                problems.append(f"{without_password(url)}: status {response.status_code}")
            else:
                # Replaced and not sorted in place, since other threads iterate over it.
                self._urls = sorted(self._urls, key=lambda other: other != url)
                return response
        raise RegistryUnavailable(
            f"the schema registry can't be reached: {'; '.join(problems)}. "
            "Check that it runs and EVENT_BUS_SCHEMA_REGISTRY_URL"
        )


def _is_url(text: str) -> bool:
    try:
        return text.startswith(("http://", "https://")) and bool(httpx.URL(text).host)
    except httpx.InvalidURL:
        return False


def _meaning(text: str) -> tuple[bytes, bytes] | None:
    """Fingerprint and logical digest of a schema; None for one that no event can have: in another
    schema language, or with references."""
    try:
        schema = json.loads(text)
        return rabin(schema), logical_digest(schema)
    except (ValueError, CatalogInvalid):
        return None


def _quoted(subject: str) -> str:
    return quote(subject, safe="")
