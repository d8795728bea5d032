"""Logs of long-running commands: standard error, one line each, with the process's name in it."""

from __future__ import annotations

import logging
import os
import sys

from relay.errors import ConfigurationInvalid

__all__ = ["configure_logging", "name_process"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configure_logging(level: str = "WARNING") -> None:
    """Logs go to standard error, from `level` up, or from what EVENT_BUS_LOG_LEVEL says.

    Raises ConfigurationInvalid for a level that does not exist.
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
    """Puts a worker's or a group's name into each line, as `relay status` shows it: several
    processes often write to one log."""
    words = f"%(asctime)s %(levelname)s {name.replace('%', '%%')} %(name)s: %(message)s"
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.setFormatter(logging.Formatter(words.replace("  ", " ")))
