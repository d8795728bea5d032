"""Small schemas for the tests of reviews."""

from __future__ import annotations

from typing import Any

__all__ = ["decimal", "enum", "record", "timestamp"]


def record(*fields: Any, name: str = "OrderPaid", namespace: str = "shop", **more: Any) -> Any:
    """A record. fields: a whole field, or (name, type), or (name, type, default)."""
    return {
        "type": "record",
        "name": name,
        "namespace": namespace,
        "fields": [_field(field) for field in fields],
        **more,
    }


def _field(field: Any) -> dict[str, Any]:
    if isinstance(field, dict):
        return field
    name, of, *default = field
    return {"name": name, "type": of, **({"default": default[0]} if default else {})}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def timestamp(unit: str) -> dict[str, Any]:
    return {"type": "long", "logicalType": f"timestamp-{unit}"}


def enum(*symbols: str, default: str | None = None, **more: Any) -> dict[str, Any]:
    last = {} if default is None else {"default": default}
    return {"type": "enum", "name": "Carrier", "symbols": list(symbols), **last, **more}
