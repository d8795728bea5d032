"""Shipments: written through an asynchronous SQLAlchemy session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from relay import DomainEventBus
from schemas.shipments.events import (
    Carrier,
    ShipmentsEvent,
    shipment_delivered,
    shipment_in_transit,
    shipment_ready,
)

__all__ = ["Shipment", "deliver", "find_drafted", "hand_over", "pack"]


@dataclass(frozen=True)
class Shipment:
    """A shipment that the group `fulfillment` has drafted."""

    id: str
    order_id: str
    carrier: Carrier

    @property
    def tracking_number(self) -> str:
        """The carrier's number of its only parcel."""
        return f"{self.carrier}-{self.id[:10].upper()}"


async def find_drafted(session: AsyncSession, most: int) -> list[Shipment]:
    """Shipments that nobody has packed yet, the oldest first."""
    rows = await session.execute(
        text(
            "select id, order_id, carrier from fulfillment.shipments where state = 'drafted' "
            "order by created_at, id limit :most"
        ),
        {"most": most},
    )
    return [Shipment(*row) for row in rows]


async def pack(session: AsyncSession, shipment: Shipment) -> str:
    """Packs a drafted shipment; the id of ShipmentReady."""
    event = shipment_ready(
        shipment.id,
        order_id=shipment.order_id,
        carrier=shipment.carrier,
        tracking_numbers=[shipment.tracking_number],
        weight_grams=1_250,
        ready_at=datetime.now(UTC),
    )
    return await _move(session, event, "drafted", "ready")


async def hand_over(session: AsyncSession, shipment: Shipment) -> str:
    """Gives a packed shipment to its carrier; the id of ShipmentInTransit."""
    moment = datetime.now(UTC)
    event = shipment_in_transit(
        shipment.id,
        order_id=shipment.order_id,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        handed_over_at=moment,
        estimated_delivery=(moment + timedelta(days=2)).date(),
    )
    return await _move(session, event, "ready", "in_transit")


async def deliver(session: AsyncSession, shipment: Shipment) -> str:
    """Notes that a shipment has arrived; the id of ShipmentDelivered."""
    event = shipment_delivered(
        shipment.id,
        order_id=shipment.order_id,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        delivered_at=datetime.now(UTC),
    )
    return await _move(session, event, "in_transit", "delivered")


async def _move(session: AsyncSession, event: ShipmentsEvent, before: str, after: str) -> str:
    """The shipment's next state, its event and its audit row, in one transaction."""
    moved = await session.execute(
        text(
            "update fulfillment.shipments set state = :after where id = :id and state = :before "
            "returning id"
        ),
        {"after": after, "id": event.aggregate_id, "before": before},
    )
    if moved.first() is None:
        raise LookupError(f"shipment {event.aggregate_id} is not {before}")
    event_id = await DomainEventBus.publish(session, event)
    await session.execute(
        text(
            "insert into shop.shipment_events (shipment_id, what, event_id) "
            "values (:shipment, :what, :event)"
        ),
        {"shipment": event.aggregate_id, "what": event.EVENT_TYPE, "event": event_id},
    )
    return event_id
