"""Finds the route of an event type from catalog, decisions, registry and broker, and caches it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping

from relay.errors import CatalogInvalid, SchemaUnknown, described
from relay.kafka import frame
from relay.kafka.topics import TopicState
from relay.publish.message import NotPublishable, Route, Waiting
from relay.schema.approvals.store import KnownVersion
from relay.schema.approvals.versions_in_force import (
    NotApproved,
    VersionsInForce,
    missing_from_catalog,
)
from relay.schema.avro.encoder import compile_text_encoder
from relay.schema.catalog import Catalog, EventType
from relay.schema.client.client import RegistryClient, RegistryRefused
from relay.schema.majors.copies import Copy, converter
from relay.unavailable import is_of_a_server

__all__ = ["Routes"]

RouteKey = tuple[str, int | None, bytes | None]

log = logging.getLogger(__name__)

# How long the lack of a route is cached before catalog, registry and broker are read again.
_NOT_THERE_SECONDS = 1.0
# How long it is cached which version is active, for rows that name none, and which event types
# and major versions are in use: people change that.
_DECIDED_SECONDS = 5.0


class Routes:
    """Routes shared by a worker's shards. Safe for several threads.

    load_catalog: reads the catalog; called again when an event type or a major version is missing.
    topic_states: reads the state of the pinned topics; called again when one is missing.
    versions_in_force: reads the versions of an event type; see relay.schema.approvals.
    names_in_use: reads the event types of which a version is decided to be in use.
    """

    def __init__(
        self,
        load_catalog: Callable[[], Catalog],
        registry: RegistryClient,
        topic_states: Callable[[], Mapping[str, TopicState]],
        versions_in_force: Callable[[EventType], VersionsInForce],
        names_in_use: Callable[[], frozenset[str]],
    ) -> None:
        self._load_catalog = load_catalog
        self._registry = registry
        self._topic_states = topic_states
        self._versions_in_force = versions_in_force
        self._names_in_use = names_in_use
        self._in_use_now: frozenset[str] = frozenset()
        self._in_use_until = -math.inf
        # Held shortly, for the fields below. `_looking` is held while catalog, topics and what is
        # in use are read. A shard that waits for the registry only holds its kind of rows' lock.
        self._lock = threading.Lock()
        self._looking = threading.RLock()
        self._finding: dict[RouteKey, threading.Lock] = {}
        # Rises whenever routes are discarded: one that was being found then is not kept.
        self._generation = 0
        self._routes: dict[RouteKey, tuple[float, Route]] = {}
        self._not_there: dict[RouteKey, tuple[float, Exception]] = {}
        self._catalog = load_catalog()
        self._topics = topic_states()
        self._read_at = time.monotonic()

    def __call__(self, event_type: str, version: int | None, fingerprint: bytes | None) -> Route:
        """The route of a row; raises NotPublishable, Waiting or RegistryUnavailable."""
        if time.monotonic() >= self._in_use_until:
            self._refresh_in_use()
        key = (event_type, version, fingerprint)
        return self._known(key) or self._find(key)

    def forget(self) -> None:
        """Discards all routes and reads the topics again: a topic was refused or has gone."""
        with self._looking:
            self._topics = self._topic_states()
            self._discard()

    def limit_now(self, topic: str) -> int | None:
        """Reads from the broker the largest batch in bytes that a topic takes; None: it is gone.

        Routes are found again where it has changed. Raises BrokerUnavailable, psycopg.Error.
        """
        with self._looking:
            former, self._topics = self._topics, self._topic_states()
            if self._topics != former:
                self._discard()
            found = self._topics.get(topic)
            return None if found is None else found.max_message_bytes

    def smallest_limit(self) -> int:
        """Returns the smallest max.message.bytes of the topics, 1 MB without topics: a larger batch
        could be refused as a whole, and innocent rows be blamed (H15)."""
        return min((state.max_message_bytes for state in self._topics.values()), default=1_000_000)

    def _known(self, key: RouteKey) -> Route | None:
        until, route = self._routes.get(key, (0.0, None))
        return route if time.monotonic() < until else None

    def _discard(self) -> None:
        with self._lock:
            self._generation += 1
            self._routes.clear()
            self._not_there.clear()

    def _remember(self, key: RouteKey, route: Route, generation: int) -> Route:
        event_type, version, fingerprint = key
        names_none = version is None and fingerprint is None
        is_lasting = not names_none and len(self._catalog.family(event_type)) == 1
        until = math.inf if is_lasting else time.monotonic() + _DECIDED_SECONDS
        with self._lock:
            if generation == self._generation:
                self._routes[key] = (until, route)
        return route

    def _find(self, key: RouteKey) -> Route:
        with self._lock:
            finding = self._finding.setdefault(key, threading.Lock())
        with finding:
            if (route := self._known(key)) is not None:
                return route
            if (known := self._not_there.get(key)) and time.monotonic() < known[0]:
                raise known[1]
            generation = self._generation
            try:
                route = self._remember(key, self._build(key), generation)
            except (NotPublishable, Waiting) as error:
                self._not_there[key] = (time.monotonic() + _NOT_THERE_SECONDS, error)
                raise
            self._not_there.pop(key, None)
            return route

    def _refresh_in_use(self) -> None:
        with self._looking:
            if time.monotonic() < self._in_use_until:
                return
            in_use = self._names_in_use()
            self._in_use_until = time.monotonic() + _DECIDED_SECONDS
            if in_use != self._in_use_now:
                self._in_use_now = in_use
                # Lasting ones too: their events may have a further major version now.
                self._discard()

    def _build(self, key: RouteKey) -> Route:
        """Builds a route. What no server is the reason of is a fault of this kind of rows."""
        try:
            return self._build_checked(key)
        except (NotPublishable, Waiting):
            raise
        except BaseException as error:
            if is_of_a_server(error):
                raise
            log.warning("events of %s have no route", key[0], exc_info=error)
            raise NotPublishable(
                f"events of {key[0]} can't be published: {described(error)}"
            ) from error

    def _build_checked(self, key: RouteKey) -> Route:
        name, number, fingerprint = key
        self._refresh(name)
        if missing := self._missing(name):
            # Published now, events would never reach the readers of these.
            raise Waiting(missing_from_catalog(missing, self._catalog))
        try:
            event_type = self._catalog.event_type(name)
            version = self._version(event_type, number, fingerprint)
        except SchemaUnknown as error:
            raise NotPublishable(str(error)) from error
        except NotApproved as error:
            raise Waiting(str(error)) from error
        topic = event_type.topic
        topics = self._topics
        if topic not in topics:
            raise Waiting(f"topic {topic} does not exist: create it with `relay migrate`")
        state = topics[topic]
        if not state.may_write:
            raise Waiting(f"Kafka does not let the relay write to topic {topic}: grant it Write")
        try:
            schema_id = self._schema_id(event_type, version, fingerprint)
            copies = self._copies(event_type, version, schema_id)
        except (SchemaUnknown, RegistryRefused) as error:
            raise Waiting(f"{error}. Register it with `relay schemas register`") from error
        except CatalogInvalid as error:
            raise Waiting(str(error)) from error
        encode = None
        if fingerprint is None and version is not None:
            encode = compile_text_encoder(version.avsc)
        return Route(
            topic=topic,
            domain=event_type.domain,
            partitions=state.partitions,
            limit=state.max_message_bytes,
            frame=frame.pack(schema_id),
            encode=encode,
            copies=copies,
        )

    def _copies(
        self, source: EventType, version: KnownVersion | None, schema_id: int
    ) -> tuple[Copy, ...]:
        """One for each other major version that is in use."""
        # A worker whose catalog still has only proposals goes by what was decided since.
        current = source.current or self._versions_in_force(source).for_copies
        found = []
        for other in self._catalog.family(source.name):
            if other is source:
                continue
            target = self._versions_in_force(other).for_copies
            if target is None:
                continue
            writer = version.avsc if version is not None else self._registry.schema(schema_id)
            target_id = self._registry.id_of(target.subject, target.text, target.fingerprint)
            found.append(
                Copy(
                    number=other.major,
                    event_type=other.name,
                    subject=target.subject,
                    frame=frame.pack(target_id),
                    convert=converter(self._catalog, source, current, writer, target),
                )
            )
        return tuple(found)

    def _refresh(self, event_type: str) -> None:
        """Reads catalog and topics again where they lack something, once a while."""
        with self._looking:
            if time.monotonic() - self._read_at < _NOT_THERE_SECONDS:
                return
            known = self._catalog.event_types.get(event_type)
            if known is None or self._missing(event_type):
                try:
                    self._catalog = self._load_catalog()
                except CatalogInvalid as error:
                    raise Waiting(f"the catalog can't be read again: {error}") from error
                # It may have further major versions of event types whose routes are lasting.
                self._discard()
            state = None if known is None else self._topics.get(known.topic)
            if state is None or not state.may_write:
                self._topics = self._topic_states()
            self._read_at = time.monotonic()

    def _missing(self, event_type: str) -> list[str]:
        """Itself and other major versions that are in use, as far as the catalog lacks them."""
        return self._catalog.missing_majors(event_type, self._in_use_now)

    def _version(
        self, event_type: EventType, number: int | None, fingerprint: bytes | None
    ) -> KnownVersion | None:
        """The version that a row was or is to be encoded with; None when only its fingerprint is
        known. Raises NotApproved, SchemaUnknown."""
        in_force = self._versions_in_force(event_type)
        found = in_force.of_row(number, fingerprint)
        if found is None and fingerprint is None and in_force.versions:
            # These raise SchemaUnknown where the catalog lacks the version, too.
            if number is not None:
                self._catalog.version(event_type.name, number)
            elif not in_force.reviewed:
                self._catalog.active(event_type.name)
        return in_force.to_publish(number, fingerprint) if in_force.reviewed else found

    def _schema_id(
        self, event_type: EventType, version: KnownVersion | None, fingerprint: bytes | None
    ) -> int:
        if version is not None:
            return self._registry.id_of(version.subject, version.text, version.fingerprint)
        assert fingerprint is not None
        subject = next(iter(event_type.versions.values())).subject
        return self._registry.id_of_fingerprint(subject, fingerprint)
