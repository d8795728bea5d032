"""Stores ports, password and process of a local server between its starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from relay.errors import StackFailed

__all__ = ["StateFile"]


class StateFile:
    """A small JSON document that is replaced atomically, readable only by its owner."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.draft = file.with_suffix(".new")

    def read(self) -> dict[str, Any]:
        """Returns the document, {} if there is none. Raises StackFailed."""
        try:
            state: dict[str, Any] = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StackFailed(
                f"{self.file} can't be read: {error}. To discard the stack and its data, "
                "run `relay stack up --fresh`"
            ) from error
        return state

    def update(self, **values: Any) -> None:
        """Sets `values`; None removes a value."""
        state = {k: v for k, v in {**self.read(), **values}.items() if v is not None}
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(self.draft, flags, 0o600), "w") as file:
            json.dump(state, file)
        self.draft.replace(self.file)
