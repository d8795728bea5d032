"""Finds the route of an event type: catalog, registry and broker asked once, then remembered."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import psycopg
from confluent_kafka import KafkaException

from relay.errors import (
    BrokerUnavailable,
    CatalogInvalid,
    DatabaseUnavailable,
    RegistryUnavailable,
    SchemaNotActive,
    SchemaUnknown,
    described,
)
from relay.kafka import frame
from relay.kafka.topics import TopicState
from relay.publish.decided import decided, decided_bytes
from relay.publish.message import NotPublishable, Route, Waiting, encoder_of
from relay.schema.approvals.standing import not_listed
from relay.schema.approvals.store import Decision
from relay.schema.catalog import Catalog, EventType, SchemaVersion
from relay.schema.catalog.families import missing_of
from relay.schema.client.client import RegistryClient, RegistryRefused
from relay.schema.majors.copies import Copy, converter, in_use

__all__ = ["Routes"]

RouteKey = tuple[str, int | None, bytes | None]
Version: TypeAlias = SchemaVersion | Decision

log = logging.getLogger(__name__)

# What is said by those that are asked, and not about the rows that they are asked for.
_OUTAGES = (
    RegistryUnavailable,
    BrokerUnavailable,
    DatabaseUnavailable,
    KafkaException,
    psycopg.Error,
)
# How long a "not there" is believed before catalog, registry or broker are asked again.
_NOT_THERE_SECONDS = 1.0
# How long it is believed which version is active, for rows that name none, and which event types
# and major versions are in use: people change that.
_DECIDED_SECONDS = 5.0


class Routes:
    """Routes shared by a worker's shards. Safe for several threads.

    load_catalog: reads the catalog; called again when an event type or a major version is missing.
    topic_states: reads the state of the pinned topics; called again when one is missing.
    decisions: reads what was decided about the versions of an event type; none before the review
    has begun, and then the catalog alone counts. May raise SchemaNotActive: its rows then wait.
    names_in_use: event types of which a version is decided to be in use.
    """

    def __init__(
        self,
        load_catalog: Callable[[], Catalog],
        registry: RegistryClient,
        topic_states: Callable[[], Mapping[str, TopicState]],
        decisions: Callable[[str], Sequence[Decision]],
        names_in_use: Callable[[], frozenset[str]],
    ) -> None:
        self._load_catalog = load_catalog
        self._registry = registry
        self._topic_states = topic_states
        self._decisions = decisions
        self._names_in_use = names_in_use
        self._in_use_now: frozenset[str] = frozenset()
        self._in_use_until = -math.inf
        self._lock = threading.Lock()
        self._routes: dict[RouteKey, tuple[float, Route]] = {}
        self._not_there: dict[RouteKey, tuple[float, Exception]] = {}
        self._catalog = load_catalog()
        self._topics = topic_states()
        self._asked_at = time.monotonic()

    def __call__(self, event_type: str, version: int | None, fingerprint: bytes | None) -> Route:
        """The route of a row; raises NotPublishable, Waiting or RegistryUnavailable."""
        if time.monotonic() >= self._in_use_until:
            self._ask_in_use()
        key = (event_type, version, fingerprint)
        return self._known(key) or self._find(key)

    def forget(self) -> None:
        """Asks the broker and the registry anew: a topic was refused or has gone."""
        with self._lock:
            self._routes.clear()
            self._not_there.clear()
            self._topics = self._topic_states()

    def limit_now(self, topic: str) -> int | None:
        """Largest batch in bytes that a topic takes now, asked of the broker; None: it is gone.

        Routes are found again where it has changed. Raises BrokerUnavailable, psycopg.Error.
        """
        with self._lock:
            former, self._topics = self._topics, self._topic_states()
            if self._topics != former:
                self._routes.clear()
            found = self._topics.get(topic)
            return None if found is None else found.max_message_bytes

    def smallest_limit(self) -> int:
        """Smallest max.message.bytes of the topics, 1 MB where there are none: no produced batch
        may be larger, or one large batch would blame innocent rows."""
        return min((state.max_message_bytes for state in self._topics.values()), default=1_000_000)

    def _known(self, key: RouteKey) -> Route | None:
        until, route = self._routes.get(key, (0.0, None))
        return route if time.monotonic() < until else None

    def _remember(self, key: RouteKey, route: Route) -> Route:
        event_type, version, fingerprint = key
        decided = version is None and fingerprint is None
        is_lasting = not decided and len(self._catalog.family(event_type)) == 1
        until = math.inf if is_lasting else time.monotonic() + _DECIDED_SECONDS
        self._routes[key] = (until, route)
        return route

    def _find(self, key: RouteKey) -> Route:
        with self._lock:
            if (route := self._known(key)) is not None:
                return route
            if (known := self._not_there.get(key)) and time.monotonic() < known[0]:
                raise known[1]
            try:
                route = self._remember(key, self._answer(key))
            except (NotPublishable, Waiting) as error:
                self._not_there[key] = (time.monotonic() + _NOT_THERE_SECONDS, error)
                raise
            self._not_there.pop(key, None)
            return route

    def _ask_in_use(self) -> None:
        with self._lock:
            if time.monotonic() < self._in_use_until:
                return
            in_use = self._names_in_use()
            self._in_use_until = time.monotonic() + _DECIDED_SECONDS
            if in_use != self._in_use_now:
                self._in_use_now = in_use
                # Lasting ones too: their events may have a further major version now.
                self._routes.clear()

    def _answer(self, key: RouteKey) -> Route:
        """As `_ask`; what is neither an answer nor an outage is a fault of this kind of rows."""
        try:
            return self._ask(key)
        except (NotPublishable, Waiting, *_OUTAGES):
            raise
        except BaseException as error:
            log.warning("events of %s have no route", key[0], exc_info=error)
            raise NotPublishable(
                f"events of {key[0]} can't be published: {described(error)}"
            ) from error

    def _ask(self, key: RouteKey) -> Route:
        event_type, number, fingerprint = key
        self._refresh(event_type)
        if missing := self._missing(event_type):
            # Published now, events would never be there for the readers of these.
            raise Waiting(not_listed(missing, self._catalog))
        try:
            topic = self._catalog.topic(event_type)
            version = self._version(event_type, number, fingerprint)
        except SchemaUnknown as error:
            raise NotPublishable(str(error)) from error
        except SchemaNotActive as error:
            raise Waiting(str(error)) from error
        if topic not in self._topics:
            raise Waiting(f"topic {topic} does not exist: create it with `relay migrate`")
        try:
            schema_id = self._schema_id(event_type, version, fingerprint)
            copies = self._copies(event_type, version, schema_id)
        except (SchemaUnknown, RegistryRefused) as error:
            raise Waiting(f"{error}. Register it with `relay schemas register`") from error
        except CatalogInvalid as error:
            raise Waiting(str(error)) from error
        return Route(
            topic=topic,
            domain=self._catalog.event_type(event_type).domain,
            partitions=self._topics[topic].partitions,
            limit=self._topics[topic].max_message_bytes,
            frame=frame.pack(schema_id),
            encode=None if fingerprint is not None or version is None else encoder_of(version),
            copies=copies,
        )

    def _copies(self, name: str, version: Version | None, schema_id: int) -> tuple[Copy, ...]:
        """One for each other major version that is in use."""
        source = self._catalog.event_type(name)
        # A worker whose catalog still has proposals alone goes by what was decided since.
        current = source.current or self._in_use(source)
        found = []
        for other in self._catalog.family(name):
            if other is source or (target := self._in_use(other)) is None:
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

    def _in_use(self, event_type: EventType) -> Version | None:
        """The version that copies are written under now; None: there are no readers."""
        try:
            decided = self._decisions(event_type.name)
        except SchemaNotActive:
            # Nobody has decided about it, so nobody reads it yet.
            return None
        return in_use(decided or event_type.versions.values())

    def _refresh(self, event_type: str) -> None:
        """Reads catalog and topics again where they lack something, once a while."""
        if time.monotonic() - self._asked_at < _NOT_THERE_SECONDS:
            return
        known = self._catalog.event_types.get(event_type)
        if known is None or self._missing(event_type):
            try:
                self._catalog = self._load_catalog()
            except CatalogInvalid as error:
                raise Waiting(f"the catalog can't be read again: {error}") from error
            # It may have further major versions of event types whose routes are lasting.
            self._routes.clear()
        if known is None or known.topic not in self._topics:
            self._topics = self._topic_states()
        self._asked_at = time.monotonic()

    def _missing(self, event_type: str) -> list[str]:
        """Itself and other major versions that are in use, as far as the catalog lacks them."""
        return missing_of(self._catalog.event_types, event_type, self._in_use_now)

    def _version(
        self, event_type: str, number: int | None, fingerprint: bytes | None
    ) -> Version | None:
        """The version that a row was or is to be encoded with; None when only its fingerprint is
        known. A version's number is never trusted where there are bytes: the publisher's version 3
        need not be the catalog's."""
        if known := self._decisions(event_type):
            if fingerprint is not None:
                return decided_bytes(event_type, number, fingerprint, known)
            if number is not None and all(each.version != number for each in known):
                self._catalog.version(event_type, number)
            return decided(event_type, number, known)
        if fingerprint is not None:
            versions = self._catalog.event_type(event_type).versions.values()
            same = [v for v in versions if v.fingerprint == fingerprint]
            # Versions that differ by logical types alone share one.
            return min(same, key=lambda v: v.version != number, default=None)
        if number is not None:
            return self._catalog.version(event_type, number)
        return self._catalog.active(event_type)

    def _schema_id(
        self, event_type: str, version: Version | None, fingerprint: bytes | None
    ) -> int:
        if version is not None:
            return self._registry.id_of(version.subject, version.text, version.fingerprint)
        assert fingerprint is not None
        known = self._catalog.event_type(event_type).versions.values()
        subject = next(iter(known)).subject
        return self._registry.id_of_fingerprint(subject, fingerprint)
