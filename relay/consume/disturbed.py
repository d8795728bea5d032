"""Repeats an attempt that others may have disturbed, a few times without counting it (H42)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from relay.consume.failures import Disturbed
from relay.consume.session import Stopped

__all__ = ["undisturbed"]

Result = TypeVar("Result")

# The last of them counts: what is disturbed each time disturbs itself, as a statement that crashes
# the server does.
MOST_DISTURBANCES: Final = 5
PAUSE_S: Final = (0.02, 0.2)


def undisturbed(attempt: Callable[[], Result], ending: threading.Event) -> Result:
    """The result of `attempt`. Raises Stopped once `ending` is set, and what `attempt` raises."""
    for left in reversed(range(MOST_DISTURBANCES)):
        try:
            return attempt()
        except Disturbed as error:
            if not left:
                raise error.counted from error
        # A random pause, or two that met in a deadlock would meet again.
        if ending.wait(random.uniform(*PAUSE_S)):
            break
    raise Stopped
