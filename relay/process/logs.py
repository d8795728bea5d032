"""Configures the logs of long-running commands."""

from __future__ import annotations

import logging
import os
import sys

from relay.errors import ConfigurationInvalid

__all__ = ["configure_logging", "name_process"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configure_logging(level: str = "WARNING") -> None:
    """Logs to standard error from `level` up, or from EVENT_BUS_LOG_LEVEL if set.

    Raises ConfigurationInvalid for an unknown level.
    """
    wanted = os.environ.get("EVENT_BUS_LOG_LEVEL", level).upper()
    if wanted not in _LEVELS:
        raise ConfigurationInvalid(
            f"EVENT_BUS_LOG_LEVEL is {wanted}, which is not a level. Set it to one of "
            f"{', '.join(_LEVELS)}"
        )
    logging.basicConfig(stream=sys.stderr, level=wanted)
    name_process("")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def name_process(name: str) -> None:
    """Adds a worker's or group's name to each line: several processes often write to one log."""
    line = f"%(asctime)s %(levelname)s {name.replace('%', '%%')} %(name)s: %(message)s"
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.setFormatter(logging.Formatter(line.replace("  ", " ")))
