"""What every command of the review begins with, and how it ends when it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from relay.cli.schemas_input import actor_of, database, reason_of
from relay.cli.schemas_output import note
from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.schema.catalog import Catalog, SchemaVersion
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    import psycopg

    from relay.schema.approvals.affected import Reading
    from relay.schema.approvals.transitions import Action

__all__ = [
    "ByOption",
    "EventType",
    "JsonOption",
    "ReasonOption",
    "Review",
    "Version",
    "open_review",
]

EventType = Annotated[str, typer.Argument(help="Event type, e.g. order.paid.")]
Version = Annotated[int, typer.Argument(min=1, help="Number of the schema version.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who decides; the operating system's user without.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Why; kept in the history.", callback=reason_of)
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]

# In place of the broker's address where none is configured.
_NO_BROKER = "-"


@dataclass(frozen=True)
class Review:
    """What a command works with. actor: who decides. connection: commits by statement."""

    settings: Settings
    catalog: Catalog
    connection: psycopg.Connection[Any]
    actor: str

    def require_begun(self) -> None:
        """Raises ConfigurationInvalid where one decision would keep all else from being published:
        none is known, and the catalog has versions in use that are to be adopted first."""
        from relay.schema.approvals.adopt import adoptable, has_begun

        if adoptable(self.catalog.event_types.values()) and not has_begun(self.connection):
            raise ConfigurationInvalid(
                "the review has not begun, and once it has, nothing is published that was not "
                "decided about. Run relay migrate first: it adopts what is in use"
            )

    def readings(self, event_type: str, *, needed: bool = False) -> list[Reading] | None:
        """Who reads the event type; None when the broker can't tell and that is not `needed`.

        Without lags where no broker is configured. Raises BrokerUnavailable.
        """
        from relay.operate.readers import read_readers

        with_lag = self.settings.kafka_bootstrap_servers != _NO_BROKER
        try:
            return read_readers(
                self.settings, self.connection, self.catalog, event_type, with_lag=with_lag
            )
        except BrokerUnavailable as error:
            if needed:
                raise
            note(f"who reads it is not known: {error}")
            return None

    def refuse(
        self, action: Action, event_type: str, version: int, wanted: SchemaVersion | None = None
    ) -> NoReturn:
        """Ends the command with the reason. wanted: the file's version where its text matters."""
        from relay.schema.approvals import store
        from relay.schema.approvals.explain import explain

        found = store.decision(self.connection, event_type, version)
        text = wanted.text if wanted is not None else None
        problem = explain(action, event_type, version, found, by=self.actor, text=text)
        typer.echo(f"relay: {problem}", err=True)
        raise typer.Exit(1)


@contextmanager
def open_review(by: str | None, *, broker: bool = False) -> Iterator[Review]:
    """Settings, catalog and database. by: who decides. broker: whether it has to be configured.

    Raises ConfigurationInvalid, CatalogInvalid, DatabaseUnavailable.
    """
    try:
        settings = load_settings()
    except ConfigurationInvalid:
        if broker:
            raise
        settings = load_settings(kafka_bootstrap_servers=_NO_BROKER)
    actor, catalog = actor_of(by), Catalog.load(settings.schemas_dir)
    with database(settings) as connection:
        yield Review(settings, catalog, connection, actor)
