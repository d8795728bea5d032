"""From an outbox row to a Kafka message: topic, partition, key, framed Avro value, headers.

See relay.kafka.frame and relay.kafka.headers for the formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from relay.capture.row import (
    AGGREGATE_ID,
    AGGREGATE_TYPE,
    AVRO,
    EVENT_TYPE,
    FINGERPRINT,
    ID,
    METADATA,
    OCCURRED_AT,
    PAYLOAD,
    SCHEMA_VERSION,
    SEQ,
    Row,
)
from relay.errors import PayloadInvalid
from relay.kafka import headers as names
from relay.kafka.partitioner import partition_of
from relay.publish.errors import OutcomeUnknown
from relay.schema.majors.copies import Copy
from relay.unavailable import unavailable_server

__all__ = [
    "CopyMessage",
    "Message",
    "Messages",
    "NotPublishable",
    "Route",
    "RoutesOfRows",
    "Waiting",
]

# A string or bytes; never None, but the type of Producer.produce has it.
Header = tuple[str, str | bytes | None]
# topic, value, key, partition, headers: the order of Producer.produce's arguments
Message = tuple[str, bytes, bytes, int, list[Header]]
# Number of the major version, and its message.
CopyMessage = tuple[int, Message]

_SPEC_VERSION: Header = (names.SPEC_VERSION, b"1.0")
_CONTENT_TYPE: Header = (names.CONTENT_TYPE, names.AVRO.encode())

# Kafka's record and batch around key, value and headers (KIP-98: 61 bytes a batch, at most 21 a
# record and 10 a header).
_BATCH_OVERHEAD = 61 + 21
_HEADER_OVERHEAD = 10
# Of keys, a shard: some 400 bytes each.
_MOST_REMEMBERED = 25_000


class NotPublishable(Exception):
    """A row that can't be published as it is: the attempt counts."""


class Waiting(Exception):
    """A row whose schema or topic is not there yet: no attempt counts."""


@dataclass(frozen=True, slots=True)
class Route:
    """What the rows of one event type and schema have in common.

    partitions: pinned count of the topic. limit: largest batch in bytes that the topic takes.
    frame: the five bytes before the Avro value. encode: payload to Avro; None where rows carry it.
    copies: under the event's other major versions.
    """

    topic: str
    domain: str
    partitions: int
    limit: int
    frame: bytes
    encode: Callable[[Any], bytes] | None
    copies: tuple[Copy, ...] = ()


# By event type, schema version or None, fingerprint or None; what kept one from being found.
RoutesOfRows: TypeAlias = (
    "dict[tuple[str, int | None, bytes | None], Route | NotPublishable | Waiting]"
)


class Messages:
    """Builds messages for one shard. Not safe for several threads.

    route: gives the route of (event type, schema version or None, fingerprint or None); raises
    NotPublishable, Waiting or RegistryUnavailable.
    """

    def __init__(
        self,
        route: Callable[[str, int | None, bytes | None], Route],
        limit_now: Callable[[str], int | None],
    ) -> None:
        """limit_now: reads from the broker the largest batch that a topic takes; None where it is
        gone. Raises BrokerUnavailable, DatabaseUnavailable, psycopg.Error.
        """
        self._route = route
        self._limit_now = limit_now
        # Read since the current transaction was prepared.
        self._limits: dict[str, int | None] = {}
        # Rows share keys and headers: what is made once need neither be made nor kept 20,000 times.
        self._keys: dict[tuple[int, str], tuple[bytes, int, Header]] = {}
        self._kinds: dict[tuple[str, str, str], tuple[Header, Header, Header]] = {}

    def routes(self, rows: Iterable[Row]) -> RoutesOfRows:
        """The route of every kind among rows, or why it has none; raises RegistryUnavailable.

        Asked before a transaction begins, so that nothing has to be waited for inside it.
        """
        self._limits.clear()
        found: RoutesOfRows = {}
        for kind in {(row[EVENT_TYPE], row[SCHEMA_VERSION], row[FINGERPRINT]) for row in rows}:
            try:
                found[kind] = self._route(*kind)
            except (NotPublishable, Waiting) as error:
                found[kind] = error
        return found

    def build(self, row: Row, routes: RoutesOfRows) -> Message:
        """The message of a row; raises NotPublishable or Waiting.

        routes: what `routes` gave for it. Whatever else is raised is a fault of this row as well.
        """
        event_type = row[EVENT_TYPE]
        aggregate_type, aggregate_id = row[AGGREGATE_TYPE], row[AGGREGATE_ID]
        metadata_text, occurred_at = row[METADATA], row[OCCURRED_AT]
        avro, payload = row[AVRO], row[PAYLOAD]
        route = routes[event_type, row[SCHEMA_VERSION], row[FINGERPRINT]]
        if isinstance(route, Exception):
            raise route.with_traceback(None)
        if avro is not None:
            value = route.frame + avro
        else:
            assert route.encode is not None
            assert payload is not None
            try:
                value = route.frame + route.encode(payload)
            except PayloadInvalid as error:
                raise NotPublishable(f"the payload does not fit its schema: {error}") from error
            except ValueError as error:
                raise NotPublishable(f"the payload can't be read as JSON: {error}") from error
        if occurred_at[10:11] != " " or occurred_at[-3:] != "+00":
            raise NotPublishable(f"occurred_at is {occurred_at}, which is not a CloudEvents time")
        place = (route.partitions, aggregate_id)
        key, partition, subject = self._keys.get(place) or self._add_key(place)
        kind = (event_type, route.domain, aggregate_type)
        type_, source, type_of_aggregate = self._kinds.get(kind) or self._add_kind(kind)
        headers: list[Header] = [
            _SPEC_VERSION,
            (names.EVENT_ID, row[ID]),
            type_,
            source,
            subject,
            (names.TIME, f"{occurred_at[:10]}T{occurred_at[11:-3]}Z"),
            type_of_aggregate,
            (names.SEQUENCE, str(row[SEQ])),
            _CONTENT_TYPE,
        ]
        if route.copies:
            headers.append((names.COPIES, ",".join(copy.event_type for copy in route.copies)))
        if metadata_text != "{}":
            _add_metadata(headers, metadata_text)
        if len(value) > route.limit - 2048:
            self._check_size(route, key, value, headers)
        return route.topic, value, key, partition, headers

    def copies(self, row: Row, routes: RoutesOfRows, original: Message) -> list[CopyMessage]:
        """A row's messages under its other major versions; raises NotPublishable.

        original: from `build`. Other errors, e.g. of a converter, are this row's fault, too.
        """
        route = routes[row[EVENT_TYPE], row[SCHEMA_VERSION], row[FINGERPRINT]]
        assert isinstance(route, Route)
        topic, value, key, partition, headers = original
        found = []
        for copy in route.copies:
            try:
                converted = copy.frame + copy.convert(value[len(route.frame) :])
            except PayloadInvalid as error:
                raise NotPublishable(
                    f"it can't be published as {copy.event_type} as well: {error}"
                ) from error
            own = list(headers)
            own[_ID] = (names.EVENT_ID, copy.id_of(row[ID]))
            own[_TYPE] = (names.EVENT_TYPE, copy.event_type)
            own[_COPIES] = (names.ORIGINAL_ID, row[ID])
            own.append((names.ORIGINAL_TYPE, row[EVENT_TYPE]))
            self._check_size(route, key, converted, own)
            found.append((copy.number, (topic, converted, key, partition, own)))
        return found

    def _check_size(self, route: Route, key: bytes, value: bytes, headers: list[Header]) -> None:
        """Raises NotPublishable for a record that is too large for its topic now.

        People raise a topic's limit because an event was refused for it, so before that happens
        it is read again, once a transaction. Raises OutcomeUnknown where the broker is silent.
        """
        size, topic = _size(key, value, headers), route.topic
        if size <= route.limit:
            return
        if topic not in self._limits:
            try:
                self._limits[topic] = self._limit_now(topic)
            except Exception as error:
                if (server := unavailable_server(error)) is None:
                    raise
                raise OutcomeUnknown(str(error).strip(), server) from error
        limit = self._limits[topic]
        if limit is None:
            raise Waiting(f"topic {topic} does not exist: create it with `relay migrate`")
        if size > limit:
            raise NotPublishable(
                f"the record has {size} bytes, topic {topic} takes {limit}: "
                "raise the topic's max.message.bytes or publish a smaller payload"
            )

    def _add_key(self, place: tuple[int, str]) -> tuple[bytes, int, Header]:
        if len(self._keys) >= _MOST_REMEMBERED:
            self._keys.clear()
        partitions, aggregate_id = place
        key = aggregate_id.encode()
        subject = (names.SUBJECT, aggregate_id)
        found = self._keys[place] = (key, partition_of(key, partitions), subject)
        return found

    def _add_kind(self, kind: tuple[str, str, str]) -> tuple[Header, Header, Header]:
        if len(self._kinds) >= _MOST_REMEMBERED:
            self._kinds.clear()
        event_type, domain, aggregate_type = kind
        found = self._kinds[kind] = (
            (names.EVENT_TYPE, event_type),
            (names.SOURCE, domain),
            (names.AGGREGATE_TYPE, aggregate_type),
        )
        return found


def _add_metadata(headers: list[Header], text: str) -> None:
    try:
        metadata = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotPublishable(f"the metadata can't be read as JSON: {error}") from error
    for name, value in metadata.items():
        if value is None or (header := names.METADATA.get(name)) is None:
            continue
        try:
            found: Header = (header, value if type(value) is str else orjson.dumps(value))
        except orjson.JSONEncodeError as error:
            raise NotPublishable(
                f"{name} in the metadata can't be written as a header: {error}. Use a string"
            ) from error
        if header == names.SOURCE:
            headers[_SOURCE] = found
        else:
            headers.append(found)


# Positions among the headers.
_ID, _TYPE, _SOURCE, _COPIES = 1, 2, 3, 9


def _size(key: bytes, value: bytes, headers: list[Header]) -> int:
    size = _BATCH_OVERHEAD + len(key) + len(value)
    for name, text in headers:
        encoded = text.encode() if isinstance(text, str) else text or b""
        size += len(name) + len(encoded) + _HEADER_OVERHEAD
    return size
