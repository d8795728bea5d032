"""What the commands on schemas work with: options, settings, database, catalog, who decides."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import psycopg
import typer

from relay.cli.output import NotDone
from relay.cli.schemas_output import note
from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.postgres.connect import connect
from relay.schema.approvals import store
from relay.schema.approvals.adopt import adoptable
from relay.schema.approvals.explain import explain
from relay.schema.approvals.transitions import Action
from relay.schema.catalog import Catalog, SchemaVersion
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    from relay.schema.approvals.affected import GroupReading

__all__ = [
    "ByOption",
    "EventType",
    "ForceOption",
    "ReasonOption",
    "Review",
    "SunsetOption",
    "Version",
    "database",
    "files_only",
    "open_review",
]

# Stands for the address of a server that a command does not need.
_NOT_NEEDED = "-"


def reason_of(text: str | None) -> str | None:
    """Returns the reason, None if it is blank."""
    return (text or "").strip() or None


def _future_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConfigurationInvalid(f"--sunset {text!r} is not a day: write YYYY-MM-DD") from None
    if day < datetime.now(UTC).date():
        raise ConfigurationInvalid(f"--sunset {text} has passed: give a future day")
    return day


EventType = Annotated[str, typer.Argument(help="Event type, e.g. order.paid.")]
Version = Annotated[int, typer.Argument(min=1, help="Number of the schema version.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who decides; by default the operating system's user.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Why; kept in the history.", callback=reason_of)
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Although the check stops it; needs --reason.")
]
SunsetOption = Annotated[
    date | None,
    typer.Option(
        "--sunset",
        metavar="DAY",
        parser=_future_day,
        help="Day on which it is to be retired, YYYY-MM-DD.",
    ),
]


def files_only() -> Settings:
    """Returns the settings for a command that needs neither database nor broker."""
    return load_settings(database_url=_NOT_NEEDED, kafka_bootstrap_servers=_NOT_NEEDED)


def database(settings: Settings) -> psycopg.Connection[Any]:
    """Connects, in autocommit mode. Raises DatabaseUnavailable, ConfigurationInvalid."""
    return connect(settings.database_url, application_name="relay schemas")


@dataclass(frozen=True)
class Review:
    """What a command of the review works with. actor: who decides. connection: autocommit mode."""

    settings: Settings
    catalog: Catalog
    connection: psycopg.Connection[Any]
    actor: str

    def require_begun(self) -> None:
        """Raises ConfigurationInvalid if this decision would be the first, and the catalog has
        versions in use. These have to be adopted before, or their events would be refused."""
        if adoptable(self.catalog.event_types.values()) and not store.has_begun(self.connection):
            raise ConfigurationInvalid(
                "the review has not begun, and once it has, only events of reviewed versions are "
                "published. Run relay migrate first: it adopts the versions that are in use"
            )

    def readings(self, event_type: str, *, needed: bool = False) -> list[GroupReading] | None:
        """Returns who reads the event type; without lags if no broker is configured.

        While the broker is unavailable: None, or BrokerUnavailable is raised if `needed`.
        """
        from relay.operate.readers import read_readers

        with_lag = self.settings.kafka_bootstrap_servers != _NOT_NEEDED
        try:
            return read_readers(
                self.settings, self.connection, self.catalog, event_type, with_lag=with_lag
            )
        except BrokerUnavailable as error:
            if needed:
                raise
            note(f"who reads it is not known: {error}")
            return None

    def check(self, wanted: SchemaVersion, reason: str | None, *, force: bool) -> str | None:
        """Prints the check of a version on standard error; returns the reason for the history.

        Raises NotDone where the check stops the version, unless it is forced with a reason.
        """
        from rich.console import Console

        from relay.schema.checks.proposal import check_proposal
        from relay.schema.checks.report import print_text

        decided = store.decisions(self.connection, wanted.event_type)
        report = check_proposal(self.catalog, decided, wanted)
        print_text(Console(stderr=True, highlight=False, soft_wrap=True), report)
        if report.passed:
            return reason
        if not force:
            raise NotDone(
                f"the check stops {wanted.event_type} version {wanted.version}, see above. Correct "
                "the schema, or give --force with --reason"
            )
        return f"despite the check: {reason}"

    def refuse(
        self, action: Action, event_type: str, version: int, wanted: SchemaVersion | None = None
    ) -> NoReturn:
        """Raises NotDone with the reason. wanted: the file's version if its text matters."""
        found = store.decision(self.connection, event_type, version)
        text = wanted.text if wanted is not None else None
        raise NotDone(explain(action, event_type, version, found, by=self.actor, text=text))


@contextmanager
def open_review(by: str | None, *, broker: bool = False) -> Iterator[Review]:
    """Opens settings, catalog and database. by: who decides. broker: it has to be configured.

    Raises ConfigurationInvalid, CatalogInvalid, DatabaseUnavailable.
    """
    try:
        settings = load_settings()
    except ConfigurationInvalid:
        if broker:
            raise
        settings = load_settings(kafka_bootstrap_servers=_NOT_NEEDED)
    actor, catalog = _actor(by), Catalog.load(settings.schemas_dir)
    with database(settings) as connection:
        yield Review(settings, catalog, connection, actor)


def _actor(by: str | None) -> str:
    if by is not None:
        if not by.strip():
            raise ConfigurationInvalid("--by is empty: give the name of who decides")
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigurationInvalid(
            "the operating system has no name for this user: give --by"
        ) from None
