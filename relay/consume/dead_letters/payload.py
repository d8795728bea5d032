"""The payload of a dead letter as natural JSON, for people."""

from __future__ import annotations

from typing import Any

from relay.consume.dead_letters.store import DeadLetter
from relay.consume.decode import Schemas
from relay.errors import CatalogInvalid, PayloadInvalid, RegistryUnavailable, SchemaUnknown
from relay.kafka import frame
from relay.schema.avro.decoder import decode

__all__ = ["PayloadUnreadable", "payload_of"]


class PayloadUnreadable(Exception):
    """The bytes of a dead letter can't be decoded here; the message says why."""


def payload_of(dead_letter: DeadLetter, schemas: Schemas) -> Any:
    """Decodes the value of a dead letter with the schema that it was written with.

    Raises PayloadUnreadable.
    """
    try:
        schema_id, body = frame.unpack(dead_letter.value)
        writer = schemas.schema(schema_id)
        return decode(writer, writer, body)
    except (frame.FrameInvalid, PayloadInvalid, CatalogInvalid, ValueError) as error:
        raise PayloadUnreadable(str(error)) from error
    except (SchemaUnknown, RegistryUnavailable) as error:
        raise PayloadUnreadable(f"its schema can't be read: {error}") from error
