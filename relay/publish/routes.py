"""Finds the route of an event type: catalog, registry and broker asked once, then remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from relay.catalog import Catalog, SchemaVersion
from relay.errors import CatalogInvalid, SchemaUnknown
from relay.publish.message import NotPublishable, Route, Waiting, encoder_of, frame_of
from relay.publish.topics import TopicState
from relay.registry.client import RegistryClient, RegistryRefused

__all__ = ["Routes"]

RouteKey = tuple[str, int | None, bytes | None]

# How long a "not there" is believed before catalog, registry or broker are asked again.
_NOT_THERE_SECONDS = 1.0


class Routes:
    """Routes shared by a worker's shards. Safe for several threads.

    load_catalog: reads the catalog; called again when an event type is missing.
    topic_states: reads the state of the pinned topics; called again when one is missing.
    """

    def __init__(
        self,
        load_catalog: Callable[[], Catalog],
        registry: RegistryClient,
        topic_states: Callable[[], Mapping[str, TopicState]],
    ) -> None:
        self._load_catalog = load_catalog
        self._registry = registry
        self._topic_states = topic_states
        self._lock = threading.Lock()
        self._routes: dict[RouteKey, Route] = {}
        self._not_there: dict[RouteKey, tuple[float, Exception]] = {}
        self._catalog = load_catalog()
        self._topics = topic_states()
        self._asked_at = time.monotonic()

    def __call__(self, event_type: str, version: int | None, fingerprint: bytes | None) -> Route:
        """The route of a row; raises NotPublishable, Waiting or RegistryUnavailable."""
        key = (event_type, version, fingerprint)
        return self._routes.get(key) or self._find(key)

    def forget(self) -> None:
        """Asks the broker and the registry anew: a topic was refused or has gone."""
        with self._lock:
            self._routes.clear()
            self._not_there.clear()
            self._topics = self._topic_states()

    def smallest_limit(self) -> int:
        """Smallest max.message.bytes of the topics, 1 MB where there are none: no produced batch
        may be larger, or one large batch would blame innocent rows."""
        return min((state.max_message_bytes for state in self._topics.values()), default=1_000_000)

    def _find(self, key: RouteKey) -> Route:
        with self._lock:
            if key in self._routes:
                return self._routes[key]
            if (known := self._not_there.get(key)) and time.monotonic() < known[0]:
                raise known[1]
            try:
                route = self._routes[key] = self._ask(key)
            except (NotPublishable, Waiting) as error:
                self._not_there[key] = (time.monotonic() + _NOT_THERE_SECONDS, error)
                raise
            self._not_there.pop(key, None)
            return route

    def _ask(self, key: RouteKey) -> Route:
        event_type, number, fingerprint = key
        self._refresh(event_type)
        try:
            topic = self._catalog.topic(event_type)
            version = self._version(event_type, number, fingerprint)
        except SchemaUnknown as error:
            raise NotPublishable(str(error)) from error
        if topic not in self._topics:
            raise Waiting(f"topic {topic} does not exist: create it with `relay migrate`")
        try:
            schema_id = self._schema_id(event_type, version, fingerprint)
        except (SchemaUnknown, RegistryRefused) as error:
            raise Waiting(f"{error}. Register it with `relay schemas register`") from error
        return Route(
            topic=topic,
            domain=self._catalog.event_type(event_type).domain,
            partitions=self._topics[topic].partitions,
            limit=self._topics[topic].max_message_bytes,
            frame=frame_of(schema_id),
            encode=None if fingerprint is not None or version is None else encoder_of(version),
        )

    def _refresh(self, event_type: str) -> None:
        """Reads catalog and topics again where they lack something, once a while."""
        if time.monotonic() - self._asked_at < _NOT_THERE_SECONDS:
            return
        known = self._catalog.event_types.get(event_type)
        if known is None:
            try:
                self._catalog = self._load_catalog()
            except CatalogInvalid as error:
                raise Waiting(f"the catalog can't be read again: {error}") from error
        if known is None or known.topic not in self._topics:
            self._topics = self._topic_states()
        self._asked_at = time.monotonic()

    def _version(
        self, event_type: str, number: int | None, fingerprint: bytes | None
    ) -> SchemaVersion | None:
        """The version that a row was or is to be encoded with; None when only its fingerprint is
        known. A version's number is never trusted where there are bytes: the publisher's version 3
        need not be the catalog's."""
        if fingerprint is not None:
            versions = self._catalog.event_type(event_type).versions.values()
            return next((v for v in versions if v.fingerprint == fingerprint), None)
        if number is not None:
            return self._catalog.version(event_type, number)
        return self._catalog.active(event_type)

    def _schema_id(
        self, event_type: str, version: SchemaVersion | None, fingerprint: bytes | None
    ) -> int:
        if version is not None:
            return self._registry.id_of(version.subject, version.text, version.fingerprint)
        assert fingerprint is not None
        known = self._catalog.event_type(event_type).versions.values()
        subject = next(iter(known)).subject
        return self._registry.id_of_fingerprint(subject, fingerprint)
