"""A thread of a group's process: owns a session and ends the process when it can't continue."""

from __future__ import annotations

import logging
import threading

from relay.consume.event_loop import close_loop
from relay.consume.session import Session, Stopped
from relay.consume.signals import Signals

__all__ = ["GroupThread"]

log = logging.getLogger(__name__)


class GroupThread(threading.Thread):
    """Runs `work` until it returns or the process ends. Only this thread uses the session."""

    def __init__(self, name: str, session: Session, signals: Signals) -> None:
        super().__init__(name=name, daemon=True)
        self._session = session
        self._signals = signals

    def work(self) -> None:
        """The loop of the thread; ends soon after `signals.ending` is set. May raise Stopped."""
        raise NotImplementedError

    def run(self) -> None:
        """Calls `work` and closes the session; an error ends the process."""
        try:
            self.work()
        except Stopped:
            log.debug("%s stopped", self.name)
        except BaseException as error:
            self._signals.crashed(error)
        finally:
            close_loop()
            self._session.close()
