"""The context that events take their metadata from."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.bus import EventContext, current_context, event_context
from relay.tracing import current_trace


def test_an_inner_context_adds_to_the_outer_and_ends_with_its_block() -> None:
    with event_context(actor_id="a", correlation_id="c"):
        with event_context(causation_id="e") as inner:
            assert inner == current_context() == EventContext("a", "c", "e")
        assert current_context() == EventContext("a", "c")
    assert current_context() == EventContext()


def test_a_context_ends_when_its_block_fails() -> None:
    with pytest.raises(KeyError), event_context(actor_id="a"):
        raise KeyError
    assert current_context() == EventContext()


def test_tasks_and_threads_do_not_see_the_contexts_of_others() -> None:
    async def inside(name: str) -> str | None:
        with event_context(actor_id=name):
            await asyncio.sleep(0)
            return current_context().actor_id

    async def both() -> tuple[str | None, str | None]:
        return await asyncio.gather(inside("a"), inside("b"))

    assert tuple(asyncio.run(both())) == ("a", "b")
    with event_context(actor_id="here"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(current_context).result() == EventContext()


def test_without_a_span_there_is_no_trace_to_carry() -> None:
    assert current_trace() == {}
