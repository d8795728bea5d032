"""What a local server remembers between its starts: ports, password, process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from relay.errors import StackFailed

__all__ = ["StateFile"]


class StateFile:
    """A small JSON document that is replaced as a whole, readable by its owner alone."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> dict[str, Any]:
        """The document, empty when there is none. Raises StackFailed when it can't be read."""
        try:
            state: dict[str, Any] = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StackFailed(
                f"{self.file} can't be read: {error}. If the stack may be thrown away, "
                "run `relay stack up --fresh`"
            ) from error
        return state

    def update(self, **values: Any) -> None:
        """Sets `values`; None removes one."""
        state = {k: v for k, v in {**self.read(), **values}.items() if v is not None}
        draft = self.file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file)
        draft.replace(self.file)
