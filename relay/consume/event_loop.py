"""The event loop of a thread, in which its asynchronous handlers run one after the other."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable
from typing import Any

from relay.consume.failures import Fatal, TimeLimitExceeded

__all__ = ["close_loop", "run_to_end"]

_local = threading.local()


def run_to_end(work: Awaitable[Any], seconds: float) -> Any:
    """The result of `work`, which runs in this thread's loop with this thread's context variables.

    Raises TimeLimitExceeded after `seconds`; Fatal where it leaves tasks behind, which would be
    lost or go on with another event; and what `work` raises.
    """
    runner: asyncio.Runner | None = getattr(_local, "runner", None)
    if runner is None:
        runner = _local.runner = asyncio.Runner()
    try:
        return runner.run(_alone(work, seconds), context=contextvars.copy_context())
    except Exception:
        raise
    except BaseException:
        # It may have come anywhere in the loop, and what ran there must not go on.
        close_loop()
        raise


def close_loop() -> None:
    """Ends this thread's loop, if it has one."""
    runner: asyncio.Runner | None = getattr(_local, "runner", None)
    if runner is not None:
        _local.runner = None
        runner.close()


async def _alone(work: Awaitable[Any], seconds: float) -> Any:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            result = await work
    except BaseException as error:
        await _cancel_others()
        if isinstance(error, TimeoutError) and limit.expired():
            raise TimeLimitExceeded(seconds) from error
        raise
    if left := await _cancel_others():
        raise Fatal(
            f"the handler returned and left {left} tasks running, which are cancelled now. Await "
            "what it starts, as in `async with asyncio.TaskGroup()`"
        )
    return result


async def _cancel_others() -> int:
    """Cancels all tasks but this one; how many there were."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return len(others)
