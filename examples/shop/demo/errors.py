"""What ends the demo early."""

from __future__ import annotations

from relay.errors import RelayError

__all__ = ["DemoFailed"]


class DemoFailed(RelayError):
    """Something that had to happen did not; the message names it and where to look."""
