"""What `relay` exports, and what importing it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import relay
from relay.bus import DomainEventBus
from relay.consume import Context, Fatal, Group, Retryable
from relay.events import DomainEvent
from relay.outbox.context import event_context

# from relay import DomainEventBus, event_context, DomainEvent, Group, Context, Retryable, Fatal
CONTRACT = {
    "Context": Context,
    "DomainEvent": DomainEvent,
    "DomainEventBus": DomainEventBus,
    "Fatal": Fatal,
    "Group": Group,
    "Retryable": Retryable,
    "event_context": event_context,
}
# Of extras, of settings, and of drivers that the caller has not used.
NOT_LOADED = {
    *("alembic", "avro", "confluent_kafka", "fastavro", "httpx", "opentelemetry", "psycopg"),
    *("pydantic", "pydantic_settings", "rich", "sqlalchemy", "starlette", "typer", "yaml"),
}


def loaded_by(program: str) -> set[str]:
    """Top-level modules that a program has loaded by its end."""
    last = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{last}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_public_names_are_those_of_the_contract() -> None:
    assert {name: getattr(relay, name) for name in relay.__all__} == CONTRACT
    assert set(CONTRACT) <= set(dir(relay))
    with pytest.raises(AttributeError, match="no attribute 'Publisher'"):
        _ = relay.Publisher


@pytest.mark.parametrize(
    "program",
    [
        "import relay",
        "from relay import DomainEvent, DomainEventBus, event_context",
        "from relay import DomainEventBus; from schemas.orders.events import order_paid",
        "import schemas",
    ],
)
def test_a_publisher_loads_no_driver_and_nothing_of_an_extra(program: str) -> None:
    assert not loaded_by(program) & NOT_LOADED


def test_consumers_are_defined_without_kafka_and_yaml() -> None:
    program = "from relay import Context, Fatal, Group, Retryable; Group('billing')"

    assert loaded_by(program) & NOT_LOADED <= {"psycopg"}


def test_a_trace_is_carried_only_where_opentelemetry_is_in_use() -> None:
    program = "from relay.tracing import current_trace; assert current_trace() == {}"

    assert "opentelemetry" not in loaded_by(program)


@pytest.mark.parametrize(
    ("session", "message"), [("object()", "builtins.object"), ("relay", "builtins.module")]
)
def test_what_is_not_a_session_is_refused_without_loading_drivers(
    session: str, message: str
) -> None:
    program = f"""
import relay
from relay import DomainEventBus
try:
    DomainEventBus.publish_many({session}, [])
except TypeError as error:
    assert {message!r} in str(error)
else:
    raise AssertionError
"""
    assert not loaded_by(program) & NOT_LOADED
