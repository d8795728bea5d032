"""The courier: a process that packs, hands over and delivers some of the drafted shipments."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from examples.shop import shipments
from relay.postgres.connect import sqlalchemy_url
from relay.settings import load_settings

__all__ = ["main"]

LOOK_S: Final = 0.25
AT_ONCE: Final = 10
STEPS: Final = (shipments.pack, shipments.hand_over, shipments.deliver)


async def work(sessions: async_sessionmaker[AsyncSession], wanted: int) -> None:
    """Delivers `wanted` shipments as they are drafted, each step in a transaction of its own."""
    done = 0
    while done < wanted:
        async with sessions.begin() as session:
            drafted = await shipments.find_drafted(session, min(AT_ONCE, wanted - done))
        for shipment in drafted:
            for step in STEPS:
                async with sessions.begin() as session:
                    event_id = await step(session, shipment)
                await _hand_in(sessions, event_id, step.__name__)
        done += len(drafted)
        if not drafted:
            await asyncio.sleep(LOOK_S)


async def _hand_in(sessions: async_sessionmaker[AsyncSession], event_id: str, step: str) -> None:
    """The courier's own account of what it has committed."""
    async with sessions.begin() as session:
        await session.execute(
            text("insert into demo.written values (:event, :step, true, :at)"),
            {"event": event_id, "step": step, "at": datetime.now(UTC)},
        )


async def _run(wanted: int) -> None:
    engine = create_async_engine(sqlalchemy_url(load_settings().database_url), pool_size=1)
    try:
        await work(async_sessionmaker(engine), wanted)
    finally:
        await engine.dispose()


def main() -> None:
    """Ends when enough shipments have been delivered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shipments", type=int, required=True)
    asyncio.run(_run(parser.parse_args().shipments))


if __name__ == "__main__":
    main()
