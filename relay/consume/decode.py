"""From the bytes on the wire to the typed event of a handler."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from relay.consume.failures import Poison
from relay.consume.group import Group, Subscription
from relay.consume.majors import Majors
from relay.consume.reads import Reads
from relay.consume.record import Record
from relay.errors import CatalogInvalid, PayloadInvalid, SchemaUnknown
from relay.events import Metadata
from relay.kafka import frame, headers
from relay.schema.avro.decoder import decode
from relay.schema.avro.names import record_name

if TYPE_CHECKING:
    from relay.events import DomainEvent

__all__ = ["Decoder", "Schemas"]


class Schemas(Protocol):
    """Where writer schemas come from: the registry's client."""

    def schema(self, schema_id: int) -> dict[str, Any]:
        """The schema with this id. Raises SchemaUnknown, RegistryUnavailable."""
        ...


class Decoder:
    """Decodes records with the schema they were written with to the one their handler knows.

    schemas: writer schemas by id, cached there. majors: how records of other major versions are
    read. reads: notes what was decoded.
    """

    def __init__(self, schemas: Schemas, majors: Majors, reads: Reads | None = None) -> None:
        self._schemas = schemas
        self._majors = majors
        self._reads = reads

    def decode(self, record: Record, group: Group) -> tuple[str, Subscription, DomainEvent] | None:
        """Event type, subscription and event of a record; None when the group has no handler.

        The type is that of the header `ce_type`, or without one that of the schema's name.
        Raises Poison when the record can't be read, RegistryUnavailable.
        """
        if (problem := record.header(headers.UNREADABLE)) is not None:
            raise Poison(f"the record's headers can't be read: {problem}")
        try:
            schema_id, body = frame.unpack(record.value)
        except frame.FrameInvalid as error:
            raise Poison(str(error)) from error
        written_as = record.event_type or self._type_of(schema_id, group)
        if written_as is None:
            return None
        bridge = self._majors.bridge(written_as)
        event_type = written_as if bridge is None else bridge.target
        subscription = group.subscriptions.get(event_type)
        if subscription is None:
            return None
        writer = self._writer(schema_id)
        event_class = subscription.event_class
        try:
            # What a converter returns has to be checked, what the decoder returns fits.
            make = event_class.from_converted if bridge else event_class.from_decoded
            event = make(
                bridge.read(writer, body) if bridge else decode(writer, event_class.SCHEMA, body),
                aggregate_id=_aggregate_id(record),
                occurred_at=_occurred_at(record),
                metadata=Metadata.from_json(_metadata_of(record)),
            )
        except (PayloadInvalid, CatalogInvalid, ValueError) as error:
            raise Poison(
                f"{record.event_id}, written with schema {schema_id}, does not fit {event_type}: "
                f"{error}"
            ) from error
        if self._reads is not None:
            self._reads.note(written_as, record.topic, schema_id, writer)
        return event_type, subscription, event

    def _writer(self, schema_id: int) -> dict[str, Any]:
        try:
            return self._schemas.schema(schema_id)
        except SchemaUnknown as error:
            raise Poison(f"the registry knows no schema {schema_id}: {error}") from error

    def _type_of(self, schema_id: int, group: Group) -> str | None:
        writer = self._writer(schema_id)
        # Only a record can be an event.
        name = record_name(writer) if isinstance(writer, dict) else ""
        return next(
            (
                event_type
                for event_type, subscription in group.subscriptions.items()
                if record_name(subscription.event_class.SCHEMA) == name
            ),
            None,
        )


def _metadata_of(record: Record) -> dict[str, str]:
    """actorId, correlationId, causationId, sourceModule and trace, as far as headers have them."""
    pairs = ((name, record.header(header)) for name, header in headers.METADATA.items())
    return {name: value for name, value in pairs if value is not None}


def _aggregate_id(record: Record) -> str:
    try:
        return record.header(headers.SUBJECT) or record.key.decode()
    except UnicodeDecodeError as error:
        raise Poison("the key is not UTF-8 and ce_subject is absent: no aggregate id") from error


def _occurred_at(record: Record) -> datetime:
    text = record.header(headers.TIME)
    if text is None:
        return datetime.fromtimestamp(0, UTC)
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise Poison(f"ce_time {text!r} is not an RFC 3339 timestamp") from error
    if timestamp.tzinfo is None:
        raise Poison(f"ce_time {text!r} has no UTC offset, so it names no instant")
    return timestamp
