"""Values of Avro for Java as natural JSON."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from relay.schema.avro.times import date_text, instant_text, time_text

__all__ = ["natural"]


def natural(value: Any) -> Any:
    """Natural JSON of what a GenericDatumReader with conversions returns.

    Times have nine digits of a fraction. Raises OverflowError and ValueError beyond the years 1 to
    9999.
    """
    if value is None:
        return None
    name = type(value).__name__.rpartition(".")[2]
    # Defaults come in lists and maps of any class.
    default = _list if hasattr(value, "iterator") else _map if hasattr(value, "keySet") else str
    return _CLASSES.get(name, default)(value)


def _record(value: Any) -> dict[str, Any]:
    fields = value.getSchema().getFields()
    return {str(field.name()): natural(value.get(field.pos())) for field in fields}


def _list(value: Any) -> list[Any]:
    return [natural(item) for item in value]


def _map(value: Any) -> dict[str, Any]:
    return {str(key): natural(value.get(key)) for key in value.keySet()}


def _base64(value: Any) -> str:
    return b64encode(bytes(value)).decode()


def _instant(value: Any) -> str:
    return instant_text(int(value.getEpochSecond()) * 10**9 + int(value.getNano()), "nanos")


def _local(value: Any) -> str:
    days, nanos = int(value.toLocalDate().toEpochDay()), int(value.toLocalTime().toNanoOfDay())
    return instant_text(days * 86_400 * 10**9 + nanos, "nanos", local=True)


# All others are strings: texts, symbols of enums, uuids.
_CLASSES: dict[str, Any] = {
    "Boolean": bool,
    "Integer": int,
    "Long": int,
    "Float": float,
    "Double": float,
    "LocalDate": lambda value: date_text(int(value.toEpochDay())),
    "LocalTime": lambda value: time_text(int(value.toNanoOfDay()), "nanos"),
    "Instant": _instant,
    "LocalDateTime": _local,
    "BigDecimal": lambda value: str(value.toPlainString()),
    "HeapByteBuffer": lambda value: _base64(value.array()),
    "Fixed": lambda value: _base64(value.bytes()),
    "Record": _record,
}
